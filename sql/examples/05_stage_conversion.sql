-- Of the customers who entered a stage, how many went on to the next, matured, so far and projected?
SELECT
    from_stage,
    to_stage,
    matured_reached,
    matured_entered,
    rate(matured_reached, matured_entered) AS matured_rate,
    wilson_low(matured_reached, matured_entered) AS matured_rate_low,
    wilson_high(matured_reached, matured_entered) AS matured_rate_high,
    reached,
    entered,
    projected_rate,
    median_seconds / 86400 AS median_days
FROM mart.stage_conversion
WHERE to_stage_number = from_stage_number + 1
ORDER BY from_stage_number
