-- On which entry pages do sessions end after one event?
SELECT
    entry_path,
    count(*) AS sessions,
    count(*) FILTER (WHERE is_bounce) AS bounces,
    rate(count(*) FILTER (WHERE is_bounce), count(*)) AS bounce_rate,
    wilson_low(count(*) FILTER (WHERE is_bounce), count(*)) AS bounce_rate_low
FROM core.sessions
WHERE entry_path IS NOT NULL
GROUP BY entry_path
HAVING count(*) >= 20
ORDER BY
    bounce_rate_low DESC,
    entry_path
LIMIT 20
