-- Finds customers that are listed twice. There should be none.
SELECT
    customer_id,
    count(*) AS times
FROM core.customers
GROUP BY customer_id
HAVING count(*) > 1
