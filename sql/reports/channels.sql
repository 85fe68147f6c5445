-- Sessions and conversions of each channel between two days.
SELECT
    coalesce(channel, '(not known)') AS channel,
    sum(sessions) AS sessions,
    sum(converted_sessions) AS converted_sessions,
    sum(converted_sessions) / nullif(sum(sessions), 0) AS share,
    sum(bounces) AS bounces
FROM mart.sessions_daily
WHERE day BETWEEN getvariable('first_day')::DATE AND getvariable('last_day')::DATE
GROUP BY ALL
ORDER BY sessions DESC, channel
