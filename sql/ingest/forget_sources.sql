-- Forget the rules of a source that have changed.
DELETE FROM raw.sources
WHERE source = $source
