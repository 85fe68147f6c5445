-- The segments that a customer is in.
SELECT segment
FROM core.customer_segments
WHERE customer_id = $customer
ORDER BY segment
