-- The key figures of journey.yaml with their targets.
SELECT
    stage,
    metric,
    numerator,
    denominator,
    value,
    target,
    status,
    owner
FROM mart.kpis
