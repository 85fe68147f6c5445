-- Finds kinds of paths whose journeys do not add up, or convert more often than they happen. There should be none.
SELECT
    kind,
    sum(journeys)::BIGINT AS journeys,
    any_value(all_journeys) AS all_journeys
FROM mart.journey_paths
GROUP BY kind
HAVING
    sum(journeys) <> any_value(all_journeys)
    OR bool_or(converted_journeys > journeys)
