-- After which contact do customers go quiet, and what do their journeys have in common?
SELECT
    stage,
    touchpoint,
    churned_last,
    churned,
    retained_last,
    retained,
    round(100 * last_difference, 1) AS more_often_last_points,
    churned_had + retained_had AS customers_who_had_it,
    round(100 * churn_rate, 1) AS churn_percent
FROM mart.churn_points
ORDER BY
    churned_last DESC,
    stage,
    touchpoint
LIMIT 25
