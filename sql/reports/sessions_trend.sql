-- Sessions, and those with a conversion, by day in the report time zone.
SELECT
    day,
    date_trunc('week', day) AS week,
    sum(sessions) AS sessions,
    sum(converted_sessions) AS converted_sessions
FROM mart.sessions_daily
GROUP BY ALL
ORDER BY day
