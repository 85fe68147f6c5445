-- The rows of a table are those of the timeline for every customer.
DELETE FROM state.touched
WHERE name = $name
