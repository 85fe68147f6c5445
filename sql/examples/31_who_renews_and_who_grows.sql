-- How many subscriptions renew, grow and end each month?
SELECT
    month,
    started,
    renewed,
    upgraded,
    downgraded,
    cancelled,
    expired,
    decided,
    round(100 * renewal_rate, 1) AS renewal_percent
FROM mart.renewals
ORDER BY month
