-- ops.balances: the books of each file: rows in, and where each of them went.
--
-- Grain   file_id
-- Reads   raw.files, raw.row_outcomes

WITH outcomes AS (
    SELECT
        file_id,
        count(*) FILTER (WHERE outcome = 'loaded')      AS loaded,
        count(*) FILTER (WHERE outcome = 'duplicate')   AS duplicate,
        count(*) FILTER (WHERE outcome = 'conflict')    AS conflict,
        count(*) FILTER (WHERE outcome = 'superseded')  AS superseded,
        count(*) FILTER (WHERE outcome = 'quarantined') AS quarantined,
        count(*) FILTER (WHERE outcome = 'suppressed')  AS suppressed,
        count(*) FILTER (WHERE outcome = 'blank')       AS blank
    FROM raw.row_outcomes
    GROUP BY file_id
)

SELECT
    files.file_id,
    files.source,
    files.path,
    files.landed_at::DATE              AS landed_on,
    files.rows_in,
    coalesce(outcomes.loaded, 0)       AS loaded,
    coalesce(outcomes.duplicate, 0)    AS duplicate,
    coalesce(outcomes.conflict, 0)     AS conflict,
    coalesce(outcomes.superseded, 0)   AS superseded,
    coalesce(outcomes.quarantined, 0)  AS quarantined,
    coalesce(outcomes.suppressed, 0)   AS suppressed,
    coalesce(outcomes.blank, 0)        AS blank
FROM raw.files AS files
LEFT JOIN outcomes ON outcomes.file_id = files.file_id
ORDER BY files.source, files.path, files.file_id
