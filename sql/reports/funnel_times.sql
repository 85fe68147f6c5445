-- The first attempt of each unit: when it reached each step, and whether its window is over.
--
-- The curve and the medians are Kaplan–Meier estimates over these rows: an attempt that did not convert is watched up
-- to the end of its window or to the horizon, whichever comes first.
WITH horizons AS (
    SELECT DISTINCT
        funnel,
        horizon
    FROM core.funnel_definitions
)

SELECT
    entrants.unit_id,
    entrants.entered_at,
    entrants.step_times,
    entrants.status,
    entrants.closes_at,
    entrants.closes_at <= horizons.horizon AS is_matured,
    least(entrants.closes_at, horizons.horizon) AS watched_until
FROM mart.funnel_entrants AS entrants
INNER JOIN horizons
    ON entrants.funnel = horizons.funnel
WHERE
    entrants.funnel = getvariable('funnel')
    AND entrants.is_first
ORDER BY entrants.unit_id
