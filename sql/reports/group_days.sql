-- Attempts by group, and of everybody (no breakdown), by step and the day they were at the step: how many went on to the next step
-- that may not be left out; with steps in any order, how many also did it. Of each unit the first attempt of each entry day, where its
-- window is over.
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
    WHERE NOT is_optional
),

attempts AS (
    SELECT
        funnel,
        breakdown,
        value,
        step_times,
        closes_at
    FROM mart.funnel_entrant_groups
    WHERE is_first_of_day
    UNION ALL BY NAME
    SELECT
        funnel,
        step_times,
        closes_at
    FROM mart.funnel_entrants
    WHERE is_first_of_day
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
    count(attempts.step_times[steps.next_number]) AS went_on
FROM attempts
INNER JOIN steps ON attempts.funnel = steps.funnel
CROSS JOIN report
WHERE
    attempts.closes_at <= steps.horizon
    AND steps.next_number IS NOT NULL
    AND attempts.step_times[steps.step_number] IS NOT NULL
GROUP BY ALL
ORDER BY funnel, breakdown, value, step_number, day
