-- Who filled a cart and did not order within the seven days since? (For a follow-up list.)
WITH carts AS (
    SELECT
        customer_id,
        max(occurred_at) AS filled_at
    FROM core.events
    WHERE
        event = 'add_to_cart'
        AND is_counted
    GROUP BY customer_id
)

SELECT
    carts.customer_id,
    carts.filled_at,
    customers.purchase_count,
    customers.current_stage
FROM carts
INNER JOIN core.customers AS customers
    ON carts.customer_id = customers.customer_id
WHERE
    carts.filled_at <= (SELECT max(occurred_at) FROM core.events) - INTERVAL 7 DAY
    AND NOT EXISTS (
        SELECT 1
        FROM core.events AS orders
        WHERE
            orders.customer_id = carts.customer_id
            AND orders.is_conversion
            AND orders.occurred_at BETWEEN carts.filled_at AND carts.filled_at + INTERVAL 7 DAY
    )
ORDER BY
    carts.filled_at DESC,
    carts.customer_id
