-- Who is ready for a conversion push: has not bought, yet opens more mails and spends more time on the site?
WITH last_day AS (
    SELECT min(horizon) AS horizon
    FROM mart.horizons
    WHERE is_in_journey
),

visits AS (
    SELECT
        sessions.customer_id,
        count(*) FILTER (WHERE sessions.started_at > last_day.horizon - INTERVAL 14 DAY) AS sessions_now,
        count(*) FILTER (WHERE sessions.started_at <= last_day.horizon - INTERVAL 14 DAY) AS sessions_before,
        sum(sessions.engaged_seconds) FILTER (WHERE sessions.started_at > last_day.horizon - INTERVAL 14 DAY) AS seconds_now,
        sum(sessions.engaged_seconds) FILTER (WHERE sessions.started_at <= last_day.horizon - INTERVAL 14 DAY)
            AS seconds_before
    FROM core.sessions AS sessions
    CROSS JOIN last_day
    WHERE sessions.started_at > last_day.horizon - INTERVAL 28 DAY
    GROUP BY sessions.customer_id
),

mails AS (
    SELECT
        events.customer_id,
        count(*) AS opened
    FROM core.events AS events
    CROSS JOIN last_day
    WHERE
        events.event IN ('email_opened', 'email_clicked')
        AND events.occurred_at > last_day.horizon - INTERVAL 14 DAY
    GROUP BY events.customer_id
)

SELECT
    customers.customer_id,
    customers.current_stage,
    visits.sessions_now,
    visits.sessions_before,
    visits.seconds_now,
    coalesce(visits.seconds_before, 0) AS seconds_before,
    coalesce(mails.opened, 0) AS mails_opened_or_clicked
FROM core.customers AS customers
INNER JOIN visits
    ON customers.customer_id = visits.customer_id
LEFT JOIN mails
    ON customers.customer_id = mails.customer_id
WHERE
    customers.purchase_count = 0
    AND visits.seconds_now > coalesce(visits.seconds_before, 0)
ORDER BY
    mails_opened_or_clicked DESC,
    visits.seconds_now DESC,
    customers.customer_id
LIMIT 100
