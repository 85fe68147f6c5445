-- Files whose books do not balance: the rows read are not the rows with an outcome. There should be none.
--
-- Reads   raw.row_outcomes, booked (registered: the files of this transaction)

SELECT
    booked.path,
    booked.rows_in,
    count(outcomes.row) AS outcomes
FROM booked
LEFT JOIN raw.row_outcomes AS outcomes ON outcomes.file_id = booked.file_id
GROUP BY booked.path, booked.rows_in
HAVING booked.rows_in <> count(outcomes.row)
ORDER BY booked.path
