-- The edge of the ledger whose id is most like $edge.
SELECT edge_id
FROM core.identity_edges
ORDER BY jaro_winkler_similarity(edge_id, $edge) DESC, edge_id
LIMIT 1
