-- Every id of the customers of whom everything happened before an instant.
--
-- Grain   alias_id
-- Reads   core.customers, core.customer_aliases

SELECT aliases.alias_id
FROM core.customer_aliases AS aliases
SEMI JOIN (FROM core.customers WHERE last_seen_at < $before) USING (customer_id)
UNION
SELECT customer_id AS alias_id
FROM core.customers
WHERE last_seen_at < $before
ORDER BY alias_id
