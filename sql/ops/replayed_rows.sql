-- The rows kept aside for a reason, of one file (where $path is given) or of all.
SELECT
    file_id,
    row,
    source,
    path
FROM raw.quarantine
WHERE reason = $reason
    AND ($path IS NULL OR path = $path)
ORDER BY path, row
