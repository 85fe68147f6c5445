-- Customers whose funnels a later horizon may change: those with an open attempt, and those with events that lay beyond it.
--
-- Reads   mart.funnel_entrants, core.events, state.touched

INSERT INTO state.touched
SELECT $name AS name, customer_id
FROM (
    SELECT customer_id
    FROM mart.funnel_entrants
    WHERE status = 'open' AND customer_id IS NOT NULL
    UNION
    SELECT customer_id
    FROM core.events
    WHERE occurred_at > $horizon
)
EXCEPT
SELECT name, customer_id
FROM state.touched
