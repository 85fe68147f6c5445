-- After which touchpoints do sessions end, and how many customers does that affect?
SELECT
    stage,
    touchpoint,
    customers,
    sessions,
    exits,
    round(100 * exit_rate, 1) AS exit_percent,
    round(100 * conversion_rate, 1) AS conversion_percent
FROM mart.touchpoints
WHERE sessions >= 20
ORDER BY
    exits DESC,
    touchpoint
LIMIT 20
