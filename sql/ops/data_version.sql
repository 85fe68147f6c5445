-- One text that changes when, and only when, the set of loaded rows changes.
--
-- Reads   raw.row_outcomes

SELECT md5(concat_ws(
    '|',
    count(*),
    coalesce(sum(row_key), 0),
    coalesce(sum(content), 0),
    coalesce(bit_xor(xor(row_key, content)), 0)
))[:16] AS data_version
FROM raw.row_outcomes
WHERE outcome = 'loaded'
