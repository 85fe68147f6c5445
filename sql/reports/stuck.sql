-- Customers who are in a stage for longer than nine in ten of those who left it, of all who are in it now.
WITH stuck AS (
    SELECT
        stage,
        count(*) AS customers,
        max(usual_days) AS usual_days,
        max(stays_that_ended) AS stays_that_ended,
        max(days_in_stage) AS longest_days
    FROM mart.stuck_customers
    GROUP BY stage
)

SELECT
    here.stage,
    coalesce(stuck.customers, 0) AS stuck,
    here.customers_now,
    coalesce(stuck.customers, 0) / nullif(here.customers_now, 0) AS stuck_rate,
    stuck.usual_days,
    stuck.stays_that_ended,
    stuck.longest_days
FROM mart.stage_reach AS here
LEFT JOIN stuck ON here.stage = stuck.stage
ORDER BY here.stage_number
