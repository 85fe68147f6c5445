-- The identifiers of some customers in some namespaces.
SELECT
    customer_id,
    namespace,
    value
FROM core.identity_map
WHERE
    customer_id IN (SELECT unnest($customers))
    AND namespace IN (SELECT unnest($namespaces))
ORDER BY customer_id, namespace, value
