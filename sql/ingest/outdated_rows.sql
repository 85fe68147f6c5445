-- The loaded rows of versions that a newer one replaces.
--
-- Reads   raw.row_outcomes, outdated (registered: file_id, whole)

SELECT outcomes.row_key
FROM raw.row_outcomes AS outcomes
INNER JOIN outdated
    ON outdated.file_id = outcomes.file_id
    AND outdated.whole = outcomes.whole
WHERE outcomes.outcome = 'loaded'
