-- The sessions of touched customers, with the event that opened each.
CREATE OR REPLACE TEMP TABLE old_sessions AS
SELECT
    session_id,
    arg_min(source, event_number)   AS source,
    arg_min(event_id, event_number) AS event_id,
    min(occurred_at)                AS opened_at
FROM core.events
SEMI JOIN touched USING (customer_id)
WHERE session_id IS NOT NULL AND is_active
GROUP BY session_id
