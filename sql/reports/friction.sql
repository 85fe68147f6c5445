-- Touchpoints by how many customers met trouble there: an exit without a conversion, an error, or a ticket within a day.
SELECT
    rank,
    stage,
    phase,
    touchpoint,
    affected,
    customers,
    affected / nullif(customers, 0) AS affected_rate,
    sessions,
    exits,
    errors,
    customers_with_ticket,
    converted_sessions
FROM mart.friction
ORDER BY rank
