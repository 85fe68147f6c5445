-- Finds months in which more or fewer customers churned or stayed than were active. There should be none.
SELECT
    month,
    active_at_start,
    churned,
    retained
FROM mart.churn
WHERE active_at_start <> churned + retained
