-- The twenty customers who are stuck by most: in a stage for the most times of its usual stay.
SELECT
    customer_id,
    stage,
    touchpoint,
    entered_at,
    days_in_stage,
    usual_days,
    last_seen_at
FROM mart.stuck_customers
ORDER BY days_in_stage / nullif(usual_days, 0) DESC NULLS LAST, days_in_stage DESC, customer_id
LIMIT 20
