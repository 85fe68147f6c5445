-- Forget what was read from a source whose rules have changed.
DELETE FROM raw.line_items
WHERE source = $source
