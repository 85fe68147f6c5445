-- Who entered each funnel, and who completed it.
SELECT
    funnel,
    arg_max(reached, step_number) AS completed,
    arg_min(reached, step_number) AS entered,
    completed / nullif(entered, 0) AS share,
    arg_max(total_rate_low, step_number) AS low,
    arg_max(total_rate_high, step_number) AS high
FROM mart.funnel_steps
WHERE NOT is_optional
GROUP BY ALL
ORDER BY funnel
