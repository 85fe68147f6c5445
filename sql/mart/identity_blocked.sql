-- mart.identity_blocked: Identifiers that rows gave and that name nobody (placeholders, templates, zeros), so they stitch nobody.
--
-- Grain   source, namespace, value_class
-- Reads   raw.blocked_values, raw.files
-- Note    rows are counted as they landed, duplicates and quarantined ones among them
--
-- column source: Name of the source in journey.yaml.
-- column namespace: Namespace of the identifier.
-- column value_class: Why it names nobody; values that do may be listed under identity.valid.
-- column rows: Rows that gave such a value.
-- column files: Files that those rows are in.
-- column first_landed_at: When the first of those files landed.

SELECT
    files.source,
    blocked.namespace,
    blocked.value_class,
    sum(blocked.rows)::BIGINT AS rows,
    count(DISTINCT blocked.file_id) AS files,
    min(files.landed_at) AS first_landed_at
FROM raw.blocked_values AS blocked
INNER JOIN raw.files AS files
    ON blocked.file_id = files.file_id
GROUP BY ALL
ORDER BY
    rows DESC,
    files.source,
    blocked.namespace,
    blocked.value_class
