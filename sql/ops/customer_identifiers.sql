-- The identifiers of a customer, in order of when they were first seen.
SELECT
    namespace,
    value,
    customer_id,
    status,
    valid_from
FROM core.identity_map
WHERE customer_id = $customer
ORDER BY valid_from NULLS LAST, namespace, value
