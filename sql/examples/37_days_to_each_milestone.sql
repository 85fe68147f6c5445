-- How many days does it take to each milestone after the first purchase, and who gets there within 90?
SELECT
    stage,
    phase,
    touchpoint,
    step,
    reached,
    purchasers,
    matured_reached,
    matured_purchasers,
    round(100 * projected_share, 1) AS projected_percent,
    quartile_1_days,
    median_days
FROM mart.adoption
ORDER BY
    reached DESC,
    stage,
    phase,
    touchpoint,
    step
