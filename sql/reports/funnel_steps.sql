-- How many reach each step of a funnel, how many stop before it, and how many could still go on to it.
WITH steps AS (
    SELECT
        *,
        count(*) FILTER (WHERE NOT is_optional) OVER (ORDER BY step_number) AS leg
    FROM mart.funnel_steps
    WHERE funnel = getvariable('funnel')
),

waiting AS (
    SELECT
        leg + 1 AS leg,
        sum(open) AS still_open
    FROM steps
    GROUP BY ALL
)

SELECT
    steps.step_number,
    steps.step_name,
    steps.is_optional,
    steps.reached,
    steps.reached_before,
    steps.reached / nullif(steps.reached_before, 0) AS step_rate,
    steps.reached_before - steps.reached - waiting.still_open AS stopped,
    waiting.still_open,
    steps.total_rate_low,
    steps.total_rate_high
FROM steps
LEFT JOIN waiting
    ON steps.leg = waiting.leg AND NOT steps.is_optional
ORDER BY steps.step_number
