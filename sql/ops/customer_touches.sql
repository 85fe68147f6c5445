-- The contacts of a customer that attribution may credit, in order of time.
SELECT
    touch_number,
    touched_at,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    touchpoint,
    session_id,
    source,
    event_id
FROM core.touches
WHERE customer_id = $customer
ORDER BY touch_number
