-- Is the path that customers take the one we assumed, and which routes did we not know of?
SELECT
    place,
    path,
    journeys,
    all_journeys,
    round(100 * rate(journeys, all_journeys), 1) AS percent,
    converted_journeys,
    is_assumed
FROM mart.journey_paths
WHERE kind = 'stage'
ORDER BY place
LIMIT 25
