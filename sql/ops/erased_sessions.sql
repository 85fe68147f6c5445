-- The events of a customer that opened a session, now, or at an earlier night by the journal.
--
-- Grain   source, event_id
-- Reads   core.events, vanished (registered: source, event_id)

WITH own AS (
    SELECT
        source,
        event_id,
        session_id,
        event_number,
        is_active
    FROM core.events
    WHERE customer_id = $customer
)

SELECT
    arg_min(source, event_number)   AS source,
    arg_min(event_id, event_number) AS event_id
FROM own
WHERE session_id IS NOT NULL AND is_active
GROUP BY session_id
UNION
SELECT
    source,
    event_id
FROM vanished
SEMI JOIN own USING (source, event_id)
