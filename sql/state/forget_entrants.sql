-- Take back the attempts of touched customers.
DELETE FROM mart.funnel_entrants
WHERE customer_id IN (SELECT customer_id FROM state.touched WHERE name = $name)
