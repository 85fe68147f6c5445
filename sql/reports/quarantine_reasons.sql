-- Rows that were set aside, by source, reason and field.
SELECT
    source,
    reason,
    field,
    count(*) AS set_aside,
    count(DISTINCT file_id) AS files
FROM raw.quarantine
GROUP BY ALL
ORDER BY
    set_aside DESC,
    source,
    reason,
    field
