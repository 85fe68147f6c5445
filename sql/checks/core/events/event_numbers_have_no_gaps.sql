-- Finds customers whose events are not numbered 1, 2, 3, … There should be none.
SELECT
    customer_id,
    count(*) AS events,
    min(event_number) AS first_number,
    max(event_number) AS last_number
FROM core.events
GROUP BY customer_id
HAVING
    min(event_number) <> 1
    OR max(event_number) <> count(*)
