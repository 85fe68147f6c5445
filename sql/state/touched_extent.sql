-- How many customers a change to a table touched, and how many events they have.
SELECT
    (SELECT count(*) FROM state.touched WHERE name = $name) AS customers,
    (
        SELECT count(*)
        FROM core.events
        WHERE customer_id IN (SELECT customer_id FROM state.touched WHERE name = $name)
    ) AS events
