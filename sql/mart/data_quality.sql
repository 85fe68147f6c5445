-- mart.data_quality: How many events of each source there are, with and without robots and the business's own.
--
-- Grain   source
-- Reads   core.events
-- Note    where every landed row went is in ops.balances
--
-- column source: Name of the source in journey.yaml.
-- column events: Events in core.events, robots and internal traffic included.
-- column robot_events: Of those, of robots.
-- column internal_events: Of those, of the business itself and no robot.
-- column counted_events: Events that sessions and funnels count.
-- column unmapped_events: Of the counted events, those without a stage.
-- column first_event_at: Time of the first event.
-- column last_event_at: Time of the last event.

SELECT
    source,
    count(*) AS events,
    count(*) FILTER (WHERE is_bot) AS robot_events,
    count(*) FILTER (WHERE is_internal AND NOT coalesce(is_bot, FALSE)) AS internal_events,
    count(*) FILTER (WHERE is_counted) AS counted_events,
    count(*) FILTER (WHERE is_counted AND stage IS NULL) AS unmapped_events,
    min(occurred_at) AS first_event_at,
    max(occurred_at) AS last_event_at
FROM core.events
GROUP BY source
ORDER BY source
