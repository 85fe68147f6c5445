-- Finds funnels whose parts by step do not sum to the change of their total rate (rounding aside). There should be none.
SELECT
    funnel,
    sum(part) AS parts,
    any_value(total_change) AS total_change
FROM mart.funnel_change_steps
GROUP BY funnel
HAVING abs(sum(part) - any_value(total_change)) > 0.000001 * (count(*) + 1)
