-- ops.schema_drift: what files brought otherwise than the files of their source before them, or than the mapping expects.
--
-- Grain   file_id, column_name, kind
-- Reads   raw.files, raw.file_columns, raw.quarantine
-- Note    files stand in order of landing, then of path; the first file of a source cannot bring anything new

WITH described AS (
    SELECT DISTINCT file_id FROM raw.file_columns
),

walk AS (
    SELECT
        files.source,
        files.file_id,
        files.path,
        files.landed_at,
        row_number() OVER earlier    AS place,
        lag(files.file_id) OVER earlier AS before_id
    FROM raw.files AS files
    SEMI JOIN described ON described.file_id = files.file_id
    WINDOW earlier AS (PARTITION BY files.source ORDER BY files.landed_at, files.path, files.file_id)
),

present AS (
    SELECT
        walk.*,
        columns.column_name,
        columns.is_mapped,
        min(walk.place) OVER (PARTITION BY walk.source, columns.column_name) AS first_place
    FROM raw.file_columns AS columns
    INNER JOIN walk ON walk.file_id = columns.file_id
    WHERE columns.is_present
),

changes AS (
    SELECT
        file_id,
        column_name,
        'new' AS kind,
        is_mapped
    FROM present
    WHERE place = first_place AND place > 1

    UNION ALL

    SELECT
        walk.file_id,
        before.column_name,
        'missing' AS kind,
        before.is_mapped
    FROM walk
    INNER JOIN raw.file_columns AS before ON before.file_id = walk.before_id AND before.is_present
    ANTI JOIN raw.file_columns AS now ON now.file_id = walk.file_id AND now.column_name = before.column_name AND now.is_present

    UNION

    SELECT
        file_id,
        column_name,
        'missing' AS kind,
        is_mapped
    FROM raw.file_columns
    WHERE NOT is_present

    UNION ALL

    SELECT DISTINCT
        file_id,
        field  AS column_name,
        'type' AS kind,
        true   AS is_mapped
    FROM raw.quarantine
    WHERE reason IN ('type_conflict', 'bad_time') AND field IS NOT NULL
),

pairs AS (
    SELECT
        file_id,
        any_value(column_name) FILTER (WHERE kind = 'new') AS new_column
    FROM changes
    GROUP BY file_id
    HAVING count(*) FILTER (WHERE kind = 'new') = 1 AND count(*) FILTER (WHERE kind = 'missing') = 1
),

kept_aside AS (
    SELECT
        file_id,
        field,
        CASE WHEN reason = 'wrong_columns' THEN 'header' ELSE 'type' END AS kind,
        count(*) AS quarantined
    FROM raw.quarantine
    WHERE reason IN ('wrong_columns', 'type_conflict', 'bad_time') AND field IS NOT NULL
    GROUP BY ALL
)

SELECT
    files.source,
    changes.file_id,
    files.path,
    files.landed_at::DATE AS landed_on,
    changes.column_name,
    changes.kind,
    changes.is_mapped,
    coalesce(kept_aside.quarantined, 0) AS quarantined,
    CASE WHEN changes.kind = 'missing' THEN pairs.new_column END AS renamed_to
FROM changes
INNER JOIN raw.files AS files ON files.file_id = changes.file_id
LEFT JOIN pairs ON pairs.file_id = changes.file_id
LEFT JOIN kept_aside
    ON kept_aside.file_id = changes.file_id
    AND kept_aside.field = changes.column_name
    AND kept_aside.kind = CASE WHEN changes.kind = 'type' THEN 'type' ELSE 'header' END
ORDER BY files.source, files.path, changes.file_id, changes.column_name, changes.kind
