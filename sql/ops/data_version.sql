-- One text that changes when, and only when, the set of loaded rows changes, or the evidence that was taken back.
--
-- Reads   raw.row_outcomes, core.identity_edges

SELECT md5(concat_ws(
    '|',
    count(*),
    coalesce(sum(row_key), 0),
    coalesce(sum(content), 0),
    coalesce(bit_xor(xor(row_key, content)), 0),
    (SELECT string_agg(edge_id, ',' ORDER BY edge_id) FROM core.identity_edges WHERE status = 'retracted')
))[:16] AS data_version
FROM raw.row_outcomes
WHERE outcome = 'loaded'
