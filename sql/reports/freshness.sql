-- The first and the newest event of each source.
SELECT
    source,
    events,
    first_event_at,
    last_event_at
FROM mart.data_quality
ORDER BY source
