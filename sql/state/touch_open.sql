-- Customers whose attempts at a funnel a later horizon may change: those with an open attempt whose window closes by then, or
-- with any open attempt where attempts may be excluded, and those with events beyond the horizon before.
--
-- Reads   mart.funnel_entrants, core.events, state.touched
-- Note    An open attempt that runs beyond the later horizon, and is not excluded, stays open.

INSERT INTO state.touched
SELECT $name AS name, customer_id
FROM (
    SELECT customer_id
    FROM mart.funnel_entrants
    WHERE
        funnel = $funnel
        AND status = 'open'
        AND ($has_exclusions OR closes_at <= $now)
        AND customer_id IS NOT NULL
    UNION
    SELECT customer_id
    FROM core.events
    WHERE occurred_at > $before
)
EXCEPT
SELECT name, customer_id
FROM state.touched
