-- Warns when more than one row in twenty of a file could not be read.
SELECT
    file_id,
    path,
    rows_in,
    quarantined
FROM ops.balances
WHERE quarantined * 20 > rows_in
