-- Rows in quarantine whose text has one of some words in it, as a regular expression.
--
-- Grain   file_id, row
-- Reads   raw.quarantine

SELECT
    file_id,
    row
FROM raw.quarantine
WHERE regexp_matches(raw_text, $words)
ORDER BY file_id, row
