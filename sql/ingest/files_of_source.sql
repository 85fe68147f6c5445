-- The files that were read for a source.
SELECT
    file_id,
    path
FROM raw.files
WHERE source = $source
ORDER BY path
