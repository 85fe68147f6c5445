-- Every counted event, and whether it is the customer's own doing: active, or a conversion.
--
-- Grain   source, event_id
-- Reads   core.events
SELECT
    customer_id,
    event,
    occurred_at,
    is_active OR is_conversion AS is_own
FROM core.events
WHERE is_counted
