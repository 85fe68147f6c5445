-- How much evidence there is at some identifiers.
--
-- Reads   core.identity_edges, members (registered: namespace, value)

SELECT count(*) AS rows
FROM core.identity_edges
WHERE
    (from_namespace, from_value) IN (SELECT (namespace, value) FROM members)
    OR (to_namespace, to_value) IN (SELECT (namespace, value) FROM members)
