-- One text that changes when the set of loaded rows changes.
SELECT md5(concat_ws('|', count(*), coalesce(sum(row_key), 0), coalesce(sum(content), 0)))[:16] AS raw_version
FROM raw.row_outcomes
WHERE outcome = 'loaded'
