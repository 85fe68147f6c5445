-- Every identifier and its customer.
SELECT
    namespace,
    value,
    customer_id
FROM core.identity_map
