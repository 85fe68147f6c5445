-- Which actions are common at each stage?
SELECT
    stage,
    touchpoint,
    customers,
    events,
    round(100 * rate(customers, max(customers) OVER stages), 1) AS percent_of_commonest
FROM mart.touchpoints
WINDOW stages AS (PARTITION BY stage)
ORDER BY
    stage,
    customers DESC,
    touchpoint
