-- What customers do in each stage: events by how many customers had one. What was sent to them is no action of theirs.
SELECT
    stage,
    event,
    count(*) AS events,
    count(DISTINCT customer_id) AS customers
FROM core.events
WHERE
    is_counted
    AND is_active
    AND stage IS NOT NULL
GROUP BY ALL
ORDER BY
    stage,
    customers DESC,
    event
