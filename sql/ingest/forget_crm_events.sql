-- Forget what was read from a source whose rules have changed.
DELETE FROM raw.crm_events
WHERE source = $source
