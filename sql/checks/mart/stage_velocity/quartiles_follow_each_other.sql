-- Finds pairs of stages whose quartiles or counts are out of order. There should be none.
SELECT
    from_stage,
    to_stage,
    entered,
    reached,
    waiting,
    quartile_1_days,
    median_days,
    quartile_3_days
FROM mart.stage_velocity
WHERE
    entered <> reached + waiting
    OR quartile_1_days > median_days
    OR median_days > quartile_3_days
    OR (quartile_1_days IS NULL AND median_days IS NOT NULL)
    OR (median_days IS NULL AND quartile_3_days IS NOT NULL)
