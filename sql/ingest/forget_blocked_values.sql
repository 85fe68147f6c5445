-- Forget what was read from a source whose rules have changed.
DELETE FROM raw.blocked_values
WHERE file_id IN (SELECT file_id FROM raw.files WHERE source = $source)
