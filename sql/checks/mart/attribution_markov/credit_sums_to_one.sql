-- Finds conversions whose credit by removal does not sum to one (rounding aside). There should be none.
SELECT
    conversion,
    sum(credit) AS credit,
    sum(conversions) AS conversions,
    any_value(all_conversions) AS all_conversions
FROM mart.attribution_markov
GROUP BY conversion
HAVING
    abs(sum(credit) - 1) > 0.000001 * count(*)
    OR abs(sum(conversions) - any_value(all_conversions)) > 0.000001 * count(*) * any_value(all_conversions)
