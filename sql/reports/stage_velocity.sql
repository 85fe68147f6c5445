-- Days from entering a stage to each later one: by when a quarter, half and three quarters of all who entered had reached it.
SELECT
    from_stage,
    to_stage,
    from_stage_number,
    to_stage_number,
    entered,
    reached,
    waiting,
    quartile_1_days,
    median_days,
    quartile_3_days
FROM mart.stage_velocity
ORDER BY from_stage_number, to_stage_number
