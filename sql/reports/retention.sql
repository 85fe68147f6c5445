-- Purchasers by the week of their first purchase, and how many were active in each later week; empty where that week is not over.
SELECT
    cohort_week,
    week_number,
    returned,
    cohort_size,
    returned / nullif(cohort_size, 0) AS share
FROM mart.retention
ORDER BY cohort_week, week_number
