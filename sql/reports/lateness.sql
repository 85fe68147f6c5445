-- How long after they happened events were received, of each source that tells when it received them.
SELECT
    source,
    count(*) AS events,
    count(*) FILTER (WHERE received_at <= occurred_at + INTERVAL 1 MINUTE) AS in_a_minute,
    count(*) FILTER (WHERE received_at <= occurred_at + INTERVAL 1 HOUR) AS in_an_hour,
    count(*) FILTER (WHERE received_at <= occurred_at + INTERVAL 24 HOUR) AS in_a_day,
    count(*) FILTER (WHERE received_at <= occurred_at + INTERVAL 48 HOUR) AS in_two_days,
    count(*) FILTER (WHERE received_at <= occurred_at + INTERVAL 168 HOUR) AS in_a_week,
    count(*) FILTER (WHERE received_at <= occurred_at + INTERVAL 720 HOUR) AS in_thirty_days
FROM core.events
WHERE is_counted AND received_at IS NOT NULL
GROUP BY source
ORDER BY source
