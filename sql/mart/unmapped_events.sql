-- mart.unmapped_events: Events that no rule of the journey maps to a stage, most frequent first.
--
-- Grain   source, event
-- Reads   core.events
-- Note    robots and internal traffic are left out
--
-- column source: Name of the source in journey.yaml.
-- column event: Name of the event.
-- column events: Events of that name without a stage.
-- column of_events: All counted events of every name.
-- column share: events / of_events.
-- column customers: Customers who had one.

WITH names AS (
    SELECT
        source,
        event,
        count(*) FILTER (WHERE stage IS NULL) AS events,
        sum(count(*)) OVER ()::BIGINT AS of_events,
        count(DISTINCT customer_id) FILTER (WHERE stage IS NULL) AS customers
    FROM core.events
    WHERE is_counted
    GROUP BY
        source,
        event
)

SELECT
    source,
    event,
    events,
    of_events,
    rate(events, of_events) AS share,
    customers
FROM names
WHERE events > 0
ORDER BY
    events DESC,
    source,
    event
