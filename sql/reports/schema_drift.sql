-- What files brought otherwise than those of their source before them.
SELECT
    source,
    column_name,
    kind,
    path,
    landed_on,
    quarantined,
    renamed_to
FROM ops.schema_drift
ORDER BY quarantined DESC, source, path, column_name, kind
