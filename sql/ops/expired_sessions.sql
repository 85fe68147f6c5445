-- The sessions of the journal that an event from before an instant had opened.
--
-- Grain   source, event_id
-- Reads   raw.web_events, raw.crm_events, vanished (registered: source, event_id)

SELECT
    source,
    event_id
FROM vanished
SEMI JOIN (
    SELECT source, event_id FROM raw.web_events WHERE occurred_at < $before
    UNION ALL
    SELECT source, event_id FROM raw.crm_events WHERE occurred_at < $before
) USING (source, event_id)
ORDER BY source, event_id
