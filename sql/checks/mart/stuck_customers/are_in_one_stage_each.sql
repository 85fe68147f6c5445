-- Finds customers who are stuck twice, or whose stage core.customers does not know as the current one. There should be none.
SELECT
    stuck.customer_id,
    count(*) AS times,
    any_value(customers.current_stage) AS current_stage
FROM mart.stuck_customers AS stuck
LEFT JOIN core.customers AS customers
    ON stuck.customer_id = customers.customer_id
GROUP BY stuck.customer_id
HAVING
    count(*) > 1
    OR any_value(stuck.stage) IS DISTINCT FROM any_value(customers.current_stage)
