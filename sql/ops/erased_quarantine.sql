-- How many of some rows are in quarantine.
--
-- Reads   raw.quarantine, places (registered: file_id, row)

SELECT count(*) AS rows
FROM raw.quarantine
SEMI JOIN places USING (file_id, row)
