-- Finds bridges whose two sides are not all identifiers of their customer. There should be none.
WITH held AS (
    SELECT
        customer_id,
        count(*) AS identifiers
    FROM core.identity_map
    GROUP BY customer_id
)

SELECT
    bridges.customer_id,
    bridges.edge_id,
    bridges.from_identifiers,
    bridges.to_identifiers,
    held.identifiers
FROM mart.identity_bridges AS bridges
LEFT JOIN held
    ON bridges.customer_id = held.customer_id
WHERE bridges.from_identifiers + bridges.to_identifiers IS DISTINCT FROM held.identifiers
