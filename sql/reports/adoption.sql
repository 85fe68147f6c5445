-- How soon purchasers reach each contact after their first conversion: so far, of those whose 90 days are over, and projected.
SELECT
    stage,
    phase,
    touchpoint,
    step,
    matured_reached,
    matured_purchasers,
    matured_reached / nullif(matured_purchasers, 0) AS matured_share,
    reached,
    purchasers,
    projected_share,
    projected_error,
    quartile_1_days,
    median_days,
    quartile_3_days
FROM mart.adoption
ORDER BY stage, phase, touchpoint, step
