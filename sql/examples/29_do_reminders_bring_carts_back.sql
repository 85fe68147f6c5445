-- Who abandoned a cart, and did the reminder bring them back?
SELECT
    reminded_at IS NOT NULL AS is_reminded,
    count(*) AS carts_left,
    count(clicked_at) AS clicked,
    count(*) FILTER (WHERE status = 'recovered') AS recovered,
    round(100 * rate(count(*) FILTER (WHERE status = 'recovered'), count(*)), 1) AS recovered_percent,
    round(100 * wilson_low(count(*) FILTER (WHERE status = 'recovered'), count(*)), 1) AS low,
    round(100 * wilson_high(count(*) FILTER (WHERE status = 'recovered'), count(*)), 1) AS high
FROM mart.abandoned_carts
WHERE
    status IN ('abandoned', 'recovered')
    AND is_final
GROUP BY ALL
ORDER BY is_reminded
