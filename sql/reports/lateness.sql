-- How long after they happened events were received, of each source that tells when it received them.
WITH waits AS (
    SELECT
        source,
        (epoch_us(received_at) - epoch_us(occurred_at)) / 60000000 AS minutes
    FROM core.events
    WHERE is_counted AND received_at IS NOT NULL
)

SELECT
    source,
    count(*) AS events,
    count(*) FILTER (WHERE minutes <= 1) AS in_a_minute,
    count(*) FILTER (WHERE minutes <= 60) AS in_an_hour,
    count(*) FILTER (WHERE minutes <= 1440) AS in_a_day,
    count(*) FILTER (WHERE minutes <= 2880) AS in_two_days,
    count(*) FILTER (WHERE minutes <= 10080) AS in_a_week,
    count(*) FILTER (WHERE minutes <= 43200) AS in_thirty_days
FROM waits
GROUP BY source
ORDER BY source
