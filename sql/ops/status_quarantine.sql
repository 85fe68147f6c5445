-- Quarantined rows by reason, with the first of each.
SELECT
    source,
    reason,
    field,
    count(*)             AS rows,
    min(path)            AS path,
    arg_min(row, (path, row))  AS first_row
FROM raw.quarantine
GROUP BY source, reason, field
ORDER BY rows DESC, source, reason, field
