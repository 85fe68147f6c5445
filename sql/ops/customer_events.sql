-- The newest $limit events of a customer, in order of time.
SELECT
    event_number,
    occurred_at,
    event,
    source,
    event_id,
    visitor_id,
    session_id,
    stage,
    phase,
    touchpoint,
    channel,
    path,
    object,
    record_id,
    state,
    value_minor,
    currency,
    is_conversion,
    is_counted
FROM core.events
WHERE customer_id = $customer
QUALIFY row_number() OVER (ORDER BY event_number DESC) <= $limit
ORDER BY event_number
