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
),

days AS (
    SELECT
        (newcomers.first_at AT TIME ZONE report.time_zone)::DATE AS day,
        count(*) AS newcomers
    FROM newcomers
    CROSS JOIN report
    GROUP BY ALL
),

entries AS (
    SELECT
        (newcomers.first_at AT TIME ZONE report.time_zone)::DATE AS day,
        firsts.stage,
        count(*) AS entered
    FROM newcomers
    INNER JOIN firsts
        ON
            newcomers.customer_id = firsts.customer_id
            AND newcomers.first_at + INTERVAL 7 DAY >= firsts.entered_at
    CROSS JOIN report
    GROUP BY ALL
)

SELECT
    days.day,
    stages.stage,
    days.newcomers,
    coalesce(entries.entered, 0) AS entered
FROM days
CROSS JOIN stages
LEFT JOIN entries
    ON
        days.day = entries.day
        AND stages.stage = entries.stage
ORDER BY
    days.day,
    stages.stage
