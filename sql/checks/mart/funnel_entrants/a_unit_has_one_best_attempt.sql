-- Finds units with several first or several best attempts. There should be none.
SELECT
    funnel,
    unit_id,
    count(*) FILTER (WHERE is_first) AS first_attempts,
    count(*) FILTER (WHERE is_best) AS best_attempts
FROM mart.funnel_entrants
GROUP BY
    funnel,
    unit_id
HAVING
    count(*) FILTER (WHERE is_first) > 1
    OR count(*) FILTER (WHERE is_best) > 1
