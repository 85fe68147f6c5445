-- Customers by the day they were first seen, and how many of them entered each stage within seven days of that.
WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

newcomers AS (
    SELECT
        customer_id,
        min(occurred_at) AS first_at
    FROM core.events
    WHERE is_counted
    GROUP BY ALL
),

stages AS (
    SELECT DISTINCT stage
    FROM core.stage_entries
),

firsts AS (
    SELECT
        customer_id,
        stage,
        min(entered_at) AS entered_at
    FROM core.stage_entries
    GROUP BY ALL
)

SELECT
    (newcomers.first_at AT TIME ZONE report.time_zone)::DATE AS day,
    stages.stage,
    count(*) AS newcomers,
    count(*) FILTER (WHERE firsts.entered_at <= newcomers.first_at + INTERVAL 7 DAY) AS entered
FROM newcomers
CROSS JOIN stages
CROSS JOIN report
LEFT JOIN firsts
    ON
        newcomers.customer_id = firsts.customer_id
        AND stages.stage = firsts.stage
GROUP BY ALL
ORDER BY
    day,
    stages.stage
