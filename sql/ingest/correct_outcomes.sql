-- A better row has landed: the rows of its key say the same as it (duplicate) or lose against it; those of a summary
-- (sort_at from $summary_from) are superseded by it.
--
-- Reads   displaced (registered: row_key, content of the new winner)

UPDATE raw.row_outcomes AS outcomes
SET outcome = CASE
    WHEN outcomes.content = displaced.content THEN 'duplicate'
    WHEN outcomes.sort_at >= $summary_from THEN 'superseded'
    ELSE $losing
END
FROM displaced
WHERE outcomes.row_key = displaced.row_key
