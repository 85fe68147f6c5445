-- Every event of the customers, within a range of ids, who were seen with several browsers or devices, or with one and without.
--
-- Grain   event
-- Reads   core.events

FROM core.events
SEMI JOIN (
    SELECT customer_id
    FROM core.events
    WHERE customer_id >= $low AND customer_id < $high
    GROUP BY customer_id
    HAVING count(DISTINCT coalesce(visitor_id, '')) > 1
)
    USING (customer_id)
WHERE customer_id >= $low AND customer_id < $high
