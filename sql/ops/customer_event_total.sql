-- How many events a customer has, robots and internal traffic included.
SELECT count(*) AS events
FROM core.events
WHERE customer_id = $customer
