-- The edges of the ledger at some identifiers (`members`), with whose each end is; strongest first.
WITH touching AS (
    FROM core.identity_edges AS edges
    SEMI JOIN members
        ON edges.from_namespace = members.namespace AND edges.from_value = members.value
    UNION
    FROM core.identity_edges AS edges
    SEMI JOIN members
        ON edges.to_namespace = members.namespace AND edges.to_value = members.value
)

SELECT
    touching.*,
    near.customer_id AS from_customer,
    near.status      AS from_status,
    far.customer_id  AS to_customer,
    far.status       AS to_status
FROM touching
LEFT JOIN core.identity_map AS near
    ON touching.from_namespace = near.namespace AND touching.from_value = near.value
LEFT JOIN core.identity_map AS far
    ON touching.to_namespace = far.namespace AND touching.to_value = far.value
ORDER BY touching.strength, touching.occurred_at NULLS LAST, touching.edge_id
