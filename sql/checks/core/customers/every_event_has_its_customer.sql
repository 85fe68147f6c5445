-- Finds customers who have events and are not in core.customers. There should be none.
SELECT
    events.customer_id,
    count(*) AS events
FROM core.events AS events
ANTI JOIN core.customers AS customers
    ON events.customer_id = customers.customer_id
GROUP BY events.customer_id
