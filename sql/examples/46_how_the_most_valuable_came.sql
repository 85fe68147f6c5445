-- Which journeys did the most valuable tenth of the purchasers take, against the others?
WITH worth AS (
    SELECT
        customer_id,
        sum(if(event = 'order_returned', -abs(value_minor), value_minor))::BIGINT AS revenue_minor
    FROM core.events
    WHERE
        is_counted
        AND (is_conversion OR event = 'order_returned')
        AND coalesce(currency, (SELECT value FROM ops.settings WHERE name = 'currency'))
        = (SELECT value FROM ops.settings WHERE name = 'currency')
    GROUP BY customer_id
),

ranked AS (
    SELECT
        customer_id,
        ntile(10) OVER (ORDER BY revenue_minor DESC, customer_id) = 1 AS is_top_tenth
    FROM worth
    WHERE revenue_minor > 0
),

parts AS (
    SELECT
        is_top_tenth,
        count(*) AS of_customers
    FROM ranked
    GROUP BY is_top_tenth
)

SELECT
    ranked.is_top_tenth,
    events.stage,
    events.touchpoint,
    count(DISTINCT ranked.customer_id) AS customers,
    parts.of_customers,
    rate(count(DISTINCT ranked.customer_id), parts.of_customers) AS share
FROM ranked
INNER JOIN parts
    ON ranked.is_top_tenth = parts.is_top_tenth
INNER JOIN core.events AS events
    ON ranked.customer_id = events.customer_id
WHERE
    events.is_counted
    AND events.touchpoint IS NOT NULL
GROUP BY
    ranked.is_top_tenth,
    events.stage,
    events.touchpoint,
    parts.of_customers
ORDER BY
    ranked.is_top_tenth DESC,
    customers DESC,
    events.stage,
    events.touchpoint
