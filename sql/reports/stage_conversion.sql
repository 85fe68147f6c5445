-- Of the customers who entered a stage, how many reached each later one: matured, so far and projected.
SELECT
    from_stage,
    to_stage,
    matured_reached,
    matured_entered,
    matured_reached / nullif(matured_entered, 0) AS matured_rate,
    reached,
    entered,
    reached / nullif(entered, 0) AS rate_so_far,
    projected_rate,
    projected_error,
    median_seconds
FROM mart.stage_conversion
ORDER BY from_stage_number, to_stage_number
