-- Finds conversions without credit by any model. There should be none.
SELECT
    events.customer_id,
    events.source,
    events.event_id
FROM core.events AS events
ANTI JOIN mart.attribution AS credits
    ON
        events.source = credits.conversion_source
        AND events.event_id = credits.conversion_event_id
WHERE
    events.is_conversion
    AND events.is_counted
