-- What is known of a customer in one row.
SELECT *
FROM core.customers
WHERE customer_id = $customer
