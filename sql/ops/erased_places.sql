-- The physical rows of some keys: the loaded one, and its duplicates, conflicts and older versions.
--
-- Grain   file_id, row
-- Reads   raw.row_outcomes, keys (registered: row_key)

SELECT
    file_id,
    row
FROM raw.row_outcomes
WHERE row_key IN (SELECT row_key FROM keys)
ORDER BY file_id, row
