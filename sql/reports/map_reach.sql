-- How many customers of a segment (the variable `segment`) ever entered each stage, of those with any event, and how many are in it.
WITH members AS (
    SELECT
        customers.customer_id,
        customers.current_stage
    FROM core.customer_segments AS segments
    INNER JOIN core.customers AS customers
        ON segments.customer_id = customers.customer_id
    WHERE
        segments.segment = getvariable('segment')
        AND customers.event_count > 0
)

SELECT
    stages.stage,
    count(entries.customer_id) AS customers,
    (SELECT count(*) FROM members) AS of_customers,
    count(members.customer_id) FILTER (WHERE members.current_stage = stages.stage) AS customers_now
FROM mart.stage_reach AS stages
LEFT JOIN core.stage_entries AS entries
    ON
        stages.stage = entries.stage
        AND entries.is_first
        AND entries.customer_id IN (SELECT customer_id FROM members)
LEFT JOIN members
    ON entries.customer_id = members.customer_id
GROUP BY
    stages.stage,
    stages.stage_number
ORDER BY stages.stage_number
