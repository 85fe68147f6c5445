-- Forget what was read from a source whose rules have changed.
DELETE FROM raw.exports
WHERE source = $source
