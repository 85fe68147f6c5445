-- Outcome of every row of some files, with the reason of those kept aside.
SELECT
    outcomes.file_id,
    outcomes.row,
    outcomes.outcome,
    quarantine.reason
FROM raw.row_outcomes AS outcomes
LEFT JOIN raw.quarantine AS quarantine
    ON quarantine.file_id = outcomes.file_id
    AND quarantine.row = outcomes.row
WHERE outcomes.file_id IN (SELECT unnest($files))
