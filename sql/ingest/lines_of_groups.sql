-- All line items of some groups.
--
-- Reads   raw.line_items, touched (registered: event_id)

SELECT *
FROM raw.line_items
WHERE source = $source
    AND event_id IN (SELECT event_id FROM touched)
