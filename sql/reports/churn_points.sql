-- What purchasers who went quiet saw last, and had ever had, beside those who stayed.
SELECT
    stage,
    touchpoint,
    churned_had,
    churned_had + retained_had AS had,
    churned_had / nullif(churned_had + retained_had, 0) AS churn_rate,
    churned_last,
    churned,
    retained_last,
    retained
FROM mart.churn_points
ORDER BY churned_last DESC, churned_had DESC, stage, touchpoint
