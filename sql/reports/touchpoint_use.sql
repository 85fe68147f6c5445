-- When each kind of contact was met: its first and its newest day in the report time zone, and by how many customers in the 28 days up to the
-- newest contact of all.
WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

contacts AS (
    SELECT
        stage,
        touchpoint,
        customer_id,
        min(occurred_at) AS first_at,
        max(occurred_at) AS last_at
    FROM core.events
    WHERE
        is_counted
        AND touchpoint IS NOT NULL
        AND stage IS NOT NULL
    GROUP BY ALL
),

newest AS (
    SELECT epoch_us(max(last_at)) AS at
    FROM contacts
),

counted AS (
    SELECT
        contacts.stage,
        contacts.touchpoint,
        count(*) FILTER (WHERE epoch_us(contacts.last_at) > newest.at - 28 * 86400000000) AS customers_lately,
        min(contacts.first_at) AS first_at,
        max(contacts.last_at) AS last_at
    FROM contacts
    CROSS JOIN newest
    GROUP BY
        contacts.stage,
        contacts.touchpoint
)

SELECT
    counted.stage,
    counted.touchpoint,
    counted.customers_lately,
    (counted.first_at AT TIME ZONE report.time_zone)::DATE AS first_day,
    (counted.last_at AT TIME ZONE report.time_zone)::DATE AS last_day
FROM counted
CROSS JOIN report
ORDER BY
    counted.stage,
    counted.touchpoint
