-- Remember that the rows of touched customers in a table have to be made anew.
--
-- Reads   touched

INSERT INTO state.touched
SELECT $name AS name, customer_id
FROM touched
EXCEPT
SELECT name, customer_id
FROM state.touched
