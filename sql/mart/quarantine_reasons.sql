-- mart.quarantine_reasons: Quarantined rows by source and reason.
--
-- Grain   source, reason, field
-- Reads   raw.quarantine
--
-- column source: Name of the source in journey.yaml.
-- column reason: Why they could not be read, as in raw.quarantine.
-- column field: The field concerned; null where there is none.
-- column rows: Rows.
-- column first_path: Path of the first of them below the landing folder, by path.
-- column first_row: Row of the first of them in that file, from 1.

SELECT
    source,
    reason,
    field,
    count(*) AS rows,
    min(path) AS first_path,
    arg_min(row, (path, row)) AS first_row
FROM raw.quarantine
GROUP BY
    source,
    reason,
    field
ORDER BY
    rows DESC,
    source,
    reason,
    field
