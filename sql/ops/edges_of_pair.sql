-- The edges of the ledger between two identifiers, strongest first.
SELECT *
FROM core.identity_edges
WHERE
    from_namespace = $from_namespace
    AND from_value = $from_value
    AND to_namespace = $to_namespace
    AND to_value = $to_value
ORDER BY strength, occurred_at, edge_id
