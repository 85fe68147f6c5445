-- Of the purchasers active at the start of each month, how many had gone quiet by its end.
SELECT
    month,
    churned,
    active_at_start,
    churned / nullif(active_at_start, 0) AS churn_rate,
    quiet_days
FROM mart.churn
ORDER BY month
