-- Take back the events of groups that got more lines.
--
-- Reads   touched (registered: event_id)

DELETE FROM raw.crm_events
WHERE source = $source
    AND event_id IN (SELECT event_id FROM touched)
