-- How many rows of the same content were loaded before, for sources that keep identical rows.
--
-- Reads   raw.row_outcomes, incoming_keys (registered: content)

SELECT
    content,
    count(*)::BIGINT AS seen
FROM raw.row_outcomes
WHERE outcome = 'loaded'
    AND content IN (SELECT content FROM incoming_keys)
GROUP BY content
