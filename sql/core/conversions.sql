-- The conversions, robots and internal traffic aside, with what attribution reads of them.
SELECT
    customer_id,
    source,
    event_id,
    event,
    occurred_at,
    value_minor,
    currency,
    is_conversion,
    is_counted
FROM core.events
WHERE
    is_conversion
    AND is_counted
