-- How many customers ever entered each stage, wherever they began.
SELECT
    stage,
    customers,
    of_customers,
    customers / nullif(of_customers, 0) AS share,
    leads
FROM mart.stage_reach
ORDER BY stage_number
