-- How many days do customers take from stage to stage?
SELECT
    from_stage,
    to_stage,
    entered,
    reached,
    quartile_1_days,
    median_days,
    quartile_3_days
FROM mart.stage_velocity
ORDER BY
    from_stage_number,
    to_stage_number
