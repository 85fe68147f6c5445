-- The events that opened some sessions, and those that are in them.
--
-- Grain   event
-- Reads   core.events, vanished (registered: session_id, source, event_id)

SELECT
    source,
    event_id,
    customer_id,
    session_id
FROM core.events
WHERE
    (source, event_id) IN (SELECT (source, event_id) FROM vanished)
    OR session_id IN (SELECT session_id FROM vanished)
