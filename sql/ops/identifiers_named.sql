-- The identifiers among some pairs of namespace and value, with whose they are.
SELECT
    namespace,
    value,
    customer_id,
    status,
    valid_from
FROM core.identity_map
SEMI JOIN (
    SELECT
        unnest($namespaces) AS namespace,
        unnest($values)     AS value
)
    USING (namespace, value)
ORDER BY namespace, value
