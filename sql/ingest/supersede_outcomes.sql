-- A newer version of a whole has landed: the rows of the older ones are superseded; those that cannot be used stay so.
--
-- Reads   outdated (registered: file_id, whole)

UPDATE raw.row_outcomes AS outcomes
SET
    outcome = 'superseded',
    row_key = NULL
FROM outdated
WHERE outcomes.file_id = outdated.file_id
    AND outcomes.whole = outdated.whole
    AND outcomes.outcome IN ('loaded', 'duplicate', 'conflict')
