-- Which stages have few touchpoints that customers were seen at, or none?
SELECT
    reach.stage_number,
    reach.stage,
    reach.customers,
    count(touchpoints.touchpoint) AS touchpoints_seen
FROM mart.stage_reach AS reach
LEFT JOIN mart.touchpoints AS touchpoints
    ON reach.stage = touchpoints.stage
GROUP BY ALL
ORDER BY reach.stage_number
