-- How do the groups of a breakdown move through a funnel compared with each other?
SELECT
    funnel,
    breakdown,
    value,
    first_reached AS entered,
    reached AS completed,
    total_rate,
    total_rate_low,
    total_rate_high
FROM mart.funnel_breakdown
WHERE NOT is_optional
QUALIFY step_number = max(step_number) OVER (PARTITION BY funnel, breakdown, value)
ORDER BY
    funnel,
    breakdown,
    entered DESC,
    value
