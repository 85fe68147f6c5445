-- Finds weeks in which more customers came back than the cohort has. There should be none.
SELECT
    cohort_week,
    week_number,
    cohort_size,
    returned
FROM mart.retention
WHERE returned > cohort_size
