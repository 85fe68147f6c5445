-- A better row has landed: the rows of its key say the same as it (duplicate) or lose against it.
--
-- Reads   displaced (registered: row_key, content of the new winner)

UPDATE raw.row_outcomes AS outcomes
SET outcome = CASE WHEN outcomes.content = displaced.content THEN 'duplicate' ELSE $losing END
FROM displaced
WHERE outcomes.row_key = displaced.row_key
