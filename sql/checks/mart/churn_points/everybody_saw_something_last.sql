-- Finds more customers who saw a touchpoint last than there are. There should be none.
SELECT
    sum(churned_last)::BIGINT AS churned_last,
    any_value(churned) AS churned,
    sum(retained_last)::BIGINT AS retained_last,
    any_value(retained) AS retained
FROM mart.churn_points
HAVING
    sum(churned_last) > any_value(churned)
    OR sum(retained_last) > any_value(retained)
