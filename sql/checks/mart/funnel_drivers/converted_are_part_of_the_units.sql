-- Finds drivers with more conversions than units, or without an odds ratio inside its interval. There should be none.
SELECT
    funnel,
    kind,
    driver,
    with_units,
    with_converted,
    without_units,
    without_converted,
    odds_ratio
FROM mart.funnel_drivers
WHERE
    with_converted > with_units
    OR without_converted > without_units
    OR coalesce(odds_ratio NOT BETWEEN odds_ratio_low AND odds_ratio_high, TRUE)
