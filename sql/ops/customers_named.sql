-- The customer of an id that is, or was, that of a customer.
SELECT customer_id
FROM core.customer_aliases
WHERE alias_id = $id
UNION
SELECT customer_id
FROM core.customers
WHERE customer_id = $id
