-- The commonest ways of customers, through channels and through stages.
SELECT
    kind,
    place,
    path,
    journeys,
    all_journeys,
    journeys / nullif(all_journeys, 0) AS share,
    converted_journeys,
    converted_journeys / nullif(journeys, 0) AS converted_share,
    is_assumed
FROM mart.journey_paths
WHERE place <= 25
ORDER BY kind, place
