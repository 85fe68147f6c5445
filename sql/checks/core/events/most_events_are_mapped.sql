-- Warns when more than half of the counted events map to no stage: the journey has rules to gain.
SELECT
    count(*) FILTER (WHERE stage IS NULL) AS unmapped,
    count(*) AS events
FROM core.events
WHERE is_counted
HAVING count(*) FILTER (WHERE stage IS NULL) * 2 > count(*)
