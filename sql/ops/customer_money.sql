-- The conversions and returns of a customer by currency, and their value in minor units, returns subtracted.
WITH amounts AS (
    SELECT
        currency,
        occurred_at,
        is_conversion AND event <> 'order_returned' AS is_sale,
        CASE WHEN event = 'order_returned' THEN -abs(value_minor) ELSE value_minor END AS amount_minor
    FROM core.events
    WHERE
        customer_id = $customer
        AND is_counted
        AND (is_conversion OR event = 'order_returned')
)

SELECT
    currency,
    count(*) FILTER (WHERE is_sale)     AS conversions,
    count(*) FILTER (WHERE NOT is_sale) AS returns,
    sum(amount_minor)::BIGINT           AS value_minor,
    min(occurred_at)                    AS first_at,
    max(occurred_at)                    AS last_at
FROM amounts
GROUP BY currency
ORDER BY currency NULLS LAST
