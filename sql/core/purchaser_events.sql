-- The mapped events of customers with a conversion, robots and internal traffic aside.
SELECT events.*
FROM core.events AS events
INNER JOIN core.customers AS customers
    ON events.customer_id = customers.customer_id
WHERE
    customers.first_purchase_at IS NOT NULL
    AND events.touchpoint IS NOT NULL
    AND events.is_counted
