-- What units did, or were, soon after they entered a funnel, and how many of those with it and without it converted later.
SELECT
    funnel,
    kind,
    driver,
    landmark_seconds,
    with_units,
    with_converted,
    without_units,
    without_converted,
    odds_ratio,
    odds_ratio_low,
    odds_ratio_high,
    q_value,
    stands_out
FROM mart.funnel_drivers
ORDER BY funnel, q_value, kind, driver
