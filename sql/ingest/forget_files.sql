-- Forget what was read from a source whose rules have changed.
DELETE FROM raw.files
WHERE source = $source
