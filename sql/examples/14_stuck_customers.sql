-- Who has been in a stage longer than nine in ten of those who left it?
SELECT
    customer_id,
    stage,
    entered_at,
    round(days_in_stage, 1) AS days_in_stage,
    round(usual_days, 1) AS usual_days,
    stays_that_ended
FROM mart.stuck_customers
ORDER BY
    entered_at,
    customer_id
LIMIT 100
