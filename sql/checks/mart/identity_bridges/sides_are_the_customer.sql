-- Finds bridges whose two sides are not all identifiers of their customer. There should be none.
SELECT
    bridges.customer_id,
    bridges.edge_id,
    bridges.from_identifiers,
    bridges.to_identifiers,
    customers.identifier_count
FROM mart.identity_bridges AS bridges
LEFT JOIN core.customers AS customers
    ON bridges.customer_id = customers.customer_id
WHERE bridges.from_identifiers + bridges.to_identifiers IS DISTINCT FROM customers.identifier_count
