-- The identifiers of customers in some namespaces; several of one namespace stand behind each other.
SELECT
    customer_id,
    namespace,
    string_agg(value, ' ' ORDER BY value) AS values
FROM core.identity_map
WHERE
    customer_id IS NOT NULL
    AND list_contains($namespaces, namespace)
GROUP BY ALL
