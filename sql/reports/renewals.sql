-- How many subscriptions start, renew, grow, shrink and end in each month, and how many of those that were decided renewed.
SELECT
    month,
    started,
    renewed,
    upgraded,
    downgraded,
    cancelled,
    expired,
    round(renewal_rate * decided)::BIGINT AS kept,
    decided,
    renewal_rate
FROM mart.renewals
ORDER BY month
