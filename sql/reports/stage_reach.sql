-- How many customers ever entered each stage, wherever they began: of all customers, of leads, of visitors.
SELECT
    stage,
    customers,
    of_customers,
    customers / nullif(of_customers, 0) AS customer_rate,
    leads,
    of_leads,
    leads / nullif(of_leads, 0) AS lead_rate,
    visitors,
    of_visitors,
    visitors / nullif(of_visitors, 0) AS visitor_rate
FROM mart.stage_reach
ORDER BY stage_number
