-- Finds touchpoints that affect more customers than had them, or end more sessions than they are in. There should be none.
SELECT
    stage,
    phase,
    touchpoint,
    customers,
    affected,
    sessions,
    exits,
    errors
FROM mart.friction
WHERE
    affected > customers
    OR customers_with_ticket > affected
    OR exits > sessions
    OR errors > sessions
