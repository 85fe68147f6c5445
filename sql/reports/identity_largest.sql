-- The customers of the most identifiers, where wrong stitching shows first.
SELECT
    customer_id,
    anchor_namespace,
    identifiers,
    visitors,
    is_multi_strong,
    bridges,
    events
FROM mart.identity_largest
ORDER BY identifiers DESC, visitors DESC, customer_id
