-- Finds entries that do not begin where the one before ends, in stage, time or number. There should be none.
-- A date without a time is midnight and follows that day's timed events, so time may go back within one day.
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
    OR entered_at <= lag(entered_at) OVER walk - INTERVAL 25 HOUR
    OR (entry_number > 1 AND entered_at IS DISTINCT FROM lag(left_at) OVER walk)
    OR entry_number <> row_number() OVER walk
