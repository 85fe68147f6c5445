-- Every event, its customer, browser or device, and session.
SELECT
    source,
    event_id,
    customer_id,
    visitor_id,
    session_id
FROM core.events
