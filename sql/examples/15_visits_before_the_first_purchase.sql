-- How many sessions does it take to the first purchase?
WITH purchasers AS (
    SELECT
        sessions.customer_id,
        count(*) AS sessions
    FROM core.sessions AS sessions
    INNER JOIN core.customers AS customers
        ON sessions.customer_id = customers.customer_id
    WHERE sessions.started_at <= customers.first_purchase_at
    GROUP BY sessions.customer_id
)

SELECT
    least(sessions, 10) AS sessions_up_to_10,
    count(*) AS purchasers
FROM purchasers
GROUP BY ALL
ORDER BY sessions_up_to_10
