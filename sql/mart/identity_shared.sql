-- mart.identity_shared: Browsers and devices that several people use, and how many; their events are given out one by one.
--
-- Grain   namespace, value
-- Reads   core.identity_edges, core.identity_map
-- Note    one of a single customer came after the first visitors that an identifier may have (visitors_per_identifier)
--
-- column namespace: anonymous_id or device_id.
-- column value: The browser or device.
-- column customers: Customers it is tied to.
-- column edges: Edges between it and their identifiers, those taken apart aside.
-- column first_evidence_at: Time of the earliest of their evidence.
-- column newest_edge_at: Time of the earliest evidence of the newest edge.

WITH shared AS (
    SELECT
        namespace,
        value
    FROM core.identity_map
    WHERE status = 'shared'
),

ties AS (
    SELECT
        from_namespace AS namespace,
        from_value AS value,
        to_namespace AS other_namespace,
        to_value AS other_value,
        occurred_at
    FROM core.identity_edges
    WHERE status <> 'retracted'
    UNION ALL
    SELECT
        to_namespace AS namespace,
        to_value AS value,
        from_namespace AS other_namespace,
        from_value AS other_value,
        occurred_at
    FROM core.identity_edges
    WHERE status <> 'retracted'
)

SELECT
    shared.namespace,
    shared.value,
    count(DISTINCT owners.customer_id) AS customers,
    count(*) AS edges,
    min(ties.occurred_at) AS first_evidence_at,
    max(ties.occurred_at) AS newest_edge_at
FROM shared
INNER JOIN ties
    ON
        shared.namespace = ties.namespace
        AND shared.value = ties.value
LEFT JOIN core.identity_map AS owners
    ON
        ties.other_namespace = owners.namespace
        AND ties.other_value = owners.value
GROUP BY ALL
ORDER BY
    customers DESC,
    shared.namespace,
    shared.value
