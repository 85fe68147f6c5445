-- Finds funnels whose steps are not numbered 1, 2, 3, … There should be none.
SELECT
    funnel,
    count(*) AS steps,
    max(step_number) AS last_number
FROM core.funnel_definitions
GROUP BY funnel
HAVING
    max(step_number) <> count(*)
    OR count(DISTINCT step_number) <> count(*)
