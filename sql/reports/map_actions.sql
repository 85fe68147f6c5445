-- What customers do in each stage: events by how many customers had one. What was sent to them is no action of theirs. Of everybody where
-- the variable `segment` says (everybody), else of the customers of that segment.
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
    AND (
        getvariable('segment') = '(everybody)'
        OR customer_id IN (SELECT customer_id FROM core.customer_segments WHERE segment = getvariable('segment'))
    )
GROUP BY ALL
ORDER BY
    stage,
    customers DESC,
    event
