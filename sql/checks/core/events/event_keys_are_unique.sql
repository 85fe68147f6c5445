-- Finds events that are on the timeline twice. There should be none.
SELECT
    source,
    event_id,
    count(*) AS times
FROM core.events
GROUP BY
    source,
    event_id
HAVING count(*) > 1
