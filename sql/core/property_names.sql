-- The names of all properties that events carry beside the columns of core.events.
SELECT DISTINCT unnest(json_keys(properties)) AS property
FROM core.events
WHERE properties IS NOT NULL
ORDER BY property
