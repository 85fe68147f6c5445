-- Events of each source by name and day (report time zone), robots and internal traffic left out.
WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
)

SELECT
    events.source,
    events.event,
    (events.occurred_at AT TIME ZONE report.time_zone)::DATE AS day,
    count(*) AS events
FROM core.events AS events
CROSS JOIN report
WHERE events.is_counted
GROUP BY ALL
ORDER BY events.source, events.event, day
