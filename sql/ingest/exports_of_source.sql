-- The versions of the wholes of a source.
SELECT
    whole,
    file_id,
    is_final,
    exported_at
FROM raw.exports
WHERE source = $source
ORDER BY whole, file_id
