-- Take back the groups of the attempts of touched customers.
--
-- Reads   state.touched, mart.funnel_entrants

DELETE FROM mart.funnel_entrant_groups AS groups
USING (
    SELECT DISTINCT funnel, unit_id
    FROM mart.funnel_entrants
    WHERE customer_id IN (SELECT customer_id FROM state.touched WHERE name = $name)
) AS attempts
WHERE groups.funnel = attempts.funnel AND groups.unit_id = attempts.unit_id
