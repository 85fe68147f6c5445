-- Attempts by group, step and the day they were at the step: how many went on to the next step that may not be left out.
-- Of each unit the first attempt of each entry day, where its window is over.
WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

steps AS (
    SELECT
        funnel,
        step_number,
        step_name,
        horizon,
        lead(step_number) OVER (PARTITION BY funnel ORDER BY step_number) AS next_number,
        lead(step_name) OVER (PARTITION BY funnel ORDER BY step_number) AS next_name
    FROM core.funnel_definitions
    WHERE NOT is_optional AND step_order != 'any'
)

SELECT
    attempts.funnel,
    attempts.breakdown,
    attempts.value,
    steps.step_number,
    steps.step_name,
    steps.next_name,
    (attempts.step_times[steps.step_number] AT TIME ZONE report.time_zone)::DATE AS day,
    count(*) AS came,
    count(*) FILTER (WHERE attempts.depth >= steps.next_number) AS went_on
FROM mart.funnel_entrant_groups AS attempts
INNER JOIN steps ON attempts.funnel = steps.funnel
CROSS JOIN report
WHERE
    attempts.is_first_of_day
    AND attempts.closes_at <= steps.horizon
    AND steps.next_number IS NOT NULL
    AND attempts.step_times[steps.step_number] IS NOT NULL
GROUP BY ALL
ORDER BY funnel, breakdown, value, step_number, day
