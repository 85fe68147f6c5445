-- What share of leads, and of unique visitors, came to each stage?
SELECT
    stage,
    leads,
    of_leads,
    round(100 * lead_rate, 1) AS lead_percent,
    visitors,
    of_visitors,
    round(100 * visitor_rate, 1) AS visitor_percent
FROM mart.stage_reach
ORDER BY stage_number
