-- First attempts of each funnel by the day of entry: those whose window is over, and how many of them completed.
WITH horizons AS (
    SELECT DISTINCT
        funnel,
        horizon
    FROM core.funnel_definitions
)

SELECT
    entrants.funnel,
    entrants.entry_day,
    count(*) AS matured_entered,
    count(*) FILTER (WHERE entrants.status = 'converted') AS matured_completed
FROM mart.funnel_entrants AS entrants
INNER JOIN horizons
    ON entrants.funnel = horizons.funnel
WHERE
    entrants.is_first
    AND entrants.closes_at <= horizons.horizon
GROUP BY ALL
ORDER BY
    entrants.funnel,
    entrants.entry_day
