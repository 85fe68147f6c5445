-- Finds events of the customer's own doing that are in no session. There should be none.
SELECT
    customer_id,
    event_number,
    source,
    event_id,
    event
FROM core.events
WHERE
    is_active
    AND is_counted
    AND session_id IS NULL
