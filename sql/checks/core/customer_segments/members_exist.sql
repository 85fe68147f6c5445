-- Finds members of segments who are not in core.customers, or are listed twice. There should be none.
SELECT
    members.segment,
    members.customer_id,
    count(*) AS times
FROM core.customer_segments AS members
LEFT JOIN core.customers AS customers
    ON members.customer_id = customers.customer_id
GROUP BY
    members.segment,
    members.customer_id
HAVING
    count(*) > 1
    OR count(customers.customer_id) = 0
