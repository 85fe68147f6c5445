-- Finds entries that do not begin where the one before ends, in stage, time or number. There should be none.
SELECT
    customer_id,
    entry_number,
    stage,
    from_stage,
    entered_at
FROM core.stage_entries
WINDOW walk AS (PARTITION BY customer_id ORDER BY entry_number)
QUALIFY
    from_stage IS DISTINCT FROM lag(stage) OVER walk
    OR entered_at < lag(entered_at) OVER walk
    OR entered_at IS DISTINCT FROM coalesce(lag(left_at) OVER walk, entered_at)
    OR entry_number <> row_number() OVER walk
