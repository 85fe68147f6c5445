-- One text that changes when what landed, how it is read, or what became of its rows changes.
SELECT md5(concat_ws(
    '|',
    (SELECT string_agg(concat_ws(' ', source, file_id, path), ',' ORDER BY source, file_id, path) FROM raw.files),
    (SELECT string_agg(concat_ws(' ', source, rule_version), ',' ORDER BY source) FROM raw.sources),
    (SELECT string_agg(concat_ws(' ', path, problem), ',' ORDER BY path, problem) FROM ops.failed_files),
    (SELECT concat_ws(' ', count(*), sum(row_key), sum(content), sum(hash(outcome))) FROM raw.row_outcomes)
)) AS landed_version
