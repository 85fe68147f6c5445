-- What files brought otherwise than those before them, by column, with the first file of each.
SELECT
    source,
    column_name,
    kind,
    bool_or(is_mapped)                    AS is_mapped,
    count(*)                              AS files,
    sum(quarantined)::BIGINT              AS quarantined,
    arg_min(path, (landed_on, path))      AS path,
    arg_min(renamed_to, (landed_on, path)) AS renamed_to
FROM ops.schema_drift
WHERE is_mapped OR kind = 'new'
GROUP BY source, column_name, kind
ORDER BY source, quarantined DESC, column_name, kind
