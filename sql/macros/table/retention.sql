-- retention(from_week, to_week): weekly retention of the cohorts whose week (a Monday) lies in [from_week, to_week].
--
-- Grain   week_number
-- Reads   mart.retention
-- Note    pooled over cohorts, never averaged; a cohort whose week ends after the horizon is left out of that week
CREATE OR REPLACE MACRO retention(from_week, to_week) AS TABLE
    SELECT
        week_number,
        count(*) AS cohorts,
        sum(cohort_size)::BIGINT AS cohort_size,
        sum(returned)::BIGINT AS returned,
        rate(sum(returned), sum(cohort_size)) AS retention_rate,
        wilson_low(sum(returned), sum(cohort_size)) AS retention_rate_low,
        wilson_high(sum(returned), sum(cohort_size)) AS retention_rate_high
    FROM mart.retention
    WHERE
        cohort_week BETWEEN from_week AND to_week
        AND returned IS NOT NULL
    GROUP BY week_number
    ORDER BY week_number
