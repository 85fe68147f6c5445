-- Where the ends of the edges of shared visitors point.
--
-- Grain   identifier
-- Reads   core.identity_map, edges_of_shared

FROM core.identity_map
WHERE
    (namespace, value) IN (SELECT (from_namespace, from_value) FROM edges_of_shared)
    OR (namespace, value) IN (SELECT (to_namespace, to_value) FROM edges_of_shared)
