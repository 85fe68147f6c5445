-- Forget what was read from a source whose rules have changed.
DELETE FROM raw.web_events
WHERE source = $source
