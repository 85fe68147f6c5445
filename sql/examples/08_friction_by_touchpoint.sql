-- Which touchpoints cause friction, and how many customers does each affect?
SELECT
    rank,
    stage,
    touchpoint,
    customers,
    affected,
    round(100 * affected_rate, 1) AS affected_percent,
    exits,
    errors,
    customers_with_ticket,
    sessions,
    round(100 * conversion_rate, 1) AS conversion_percent
FROM mart.friction
ORDER BY rank
LIMIT 20
