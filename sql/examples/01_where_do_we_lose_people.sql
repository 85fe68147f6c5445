-- How many people reach each step of a funnel, and where do most of them stop?
SELECT
    funnel,
    step_number,
    step_name,
    reached,
    reached_before,
    reached_before - reached AS lost,
    round(100 * step_rate, 1) AS step_percent,
    round(100 * total_rate, 1) AS total_percent
FROM mart.funnel_steps
ORDER BY
    funnel,
    step_number
