-- The edges of the ledger whose id begins with $edge, the first few.
SELECT *
FROM core.identity_edges
WHERE starts_with(edge_id, $edge)
ORDER BY edge_id
LIMIT 6
