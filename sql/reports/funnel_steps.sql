-- How many reach each step of a funnel, and how many are lost before it.
SELECT
    step_number,
    step_name,
    is_optional,
    reached,
    reached_before,
    reached / nullif(reached_before, 0) AS step_rate,
    CASE WHEN NOT is_optional THEN reached_before - reached END AS lost,
    total_rate_low,
    total_rate_high
FROM mart.funnel_steps
WHERE funnel = getvariable('funnel')
ORDER BY step_number
