-- How many sessions of each day were of new customers, and how many of returning ones?
SELECT
    day,
    sum(sessions) AS sessions,
    sum(new_customers) AS of_new_customers,
    sum(sessions) - sum(new_customers) AS of_returning_customers
FROM mart.sessions_daily
GROUP BY day
ORDER BY day
