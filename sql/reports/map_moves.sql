-- Moves of the customers of a segment (the variable `segment`) out of each stage, to '(still there)' where none has followed.
WITH entries AS (
    SELECT
        customer_id,
        stage,
        stage_number,
        lead(stage) OVER journey AS to_stage,
        lead(direction) OVER journey AS direction
    FROM core.stage_entries
    WHERE customer_id IN (SELECT customer_id FROM core.customer_segments WHERE segment = getvariable('segment'))
    WINDOW journey AS (PARTITION BY customer_id ORDER BY entry_number)
)

SELECT
    stage AS from_stage,
    coalesce(to_stage, '(still there)') AS to_stage,
    direction,
    count(*) AS moves,
    count(DISTINCT customer_id) AS customers
FROM entries
GROUP BY
    stage,
    stage_number,
    to_stage,
    direction
ORDER BY
    stage_number,
    to_stage,
    direction
