-- The edges between a shared visitor and any identifier.
--
-- Grain   edge
-- Reads   core.identity_edges, core.identity_map

CREATE OR REPLACE TEMP TABLE edges_of_shared AS
FROM core.identity_edges
WHERE
    (from_namespace, from_value) IN (SELECT (namespace, value) FROM core.identity_map WHERE status = 'shared')
    OR (to_namespace, to_value) IN (SELECT (namespace, value) FROM core.identity_map WHERE status = 'shared')
