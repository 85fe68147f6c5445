-- The versions of some wholes of a source.
--
-- Reads   raw.exports, seen (registered: whole)

SELECT
    whole,
    file_id,
    is_final,
    exported_at
FROM raw.exports
WHERE source = $source
    AND whole IN (SELECT whole FROM seen)
