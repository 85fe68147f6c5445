-- Finds breakdowns whose mix and rate do not sum to the change of the total rate (rounding aside). There should be none.
SELECT
    funnel,
    breakdown,
    sum(mix_part + rate_part) AS parts,
    any_value(total_change) AS total_change
FROM mart.funnel_change_groups
GROUP BY
    funnel,
    breakdown
HAVING abs(sum(mix_part + rate_part) - any_value(total_change)) > 0.000002 * (count(*) + 1)
