-- Finds aliases that point at several customers, or at none that exists. There should be none.
SELECT
    aliases.alias_id,
    count(*) AS times,
    count(customers.customer_id) AS known
FROM core.customer_aliases AS aliases
LEFT JOIN core.customers AS customers
    ON aliases.customer_id = customers.customer_id
GROUP BY aliases.alias_id
HAVING
    count(*) > 1
    OR count(customers.customer_id) = 0
