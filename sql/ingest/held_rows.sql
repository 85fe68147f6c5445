-- The loaded rows that share a key with incoming rows.
--
-- Reads   raw.row_outcomes, incoming_keys (registered: row_key, content)

SELECT
    row_key,
    content,
    sort_at,
    tie
FROM raw.row_outcomes
WHERE outcome = 'loaded'
    AND row_key IN (SELECT row_key FROM incoming_keys)
