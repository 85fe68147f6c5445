-- How many of our active customers do we lose each month?
SELECT
    month,
    active_at_start,
    churned,
    round(100 * churn_rate, 1) AS churn_percent,
    quiet_days
FROM mart.churn
ORDER BY month
