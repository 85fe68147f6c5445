-- mart.identity_largest: The twenty customers of the most identifiers, where wrong stitching shows first.
--
-- Grain   customer_id
-- Reads   core.customers, mart.identity_bridges
--
-- column customer_id: The customer.
-- column anchor_namespace: Namespace of the identifier that names the customer.
-- column identifiers: Identifiers that point at the customer.
-- column visitors: Of those, browsers and devices.
-- column is_multi_strong: True when merges put two values of one strong namespace together.
-- column bridges: Pairs of identifiers on which the customer hangs.
-- column events: Events, without robots and internal traffic.

SELECT
    customers.customer_id,
    customers.anchor_namespace,
    customers.identifier_count AS identifiers,
    customers.visitor_count AS visitors,
    customers.is_multi_strong,
    count(bridges.customer_id) AS bridges,
    customers.event_count AS events
FROM core.customers AS customers
LEFT JOIN mart.identity_bridges AS bridges
    ON customers.customer_id = bridges.customer_id
GROUP BY ALL
ORDER BY
    identifiers DESC,
    customers.customer_id
LIMIT 20
