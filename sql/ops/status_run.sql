-- The last run.
FROM ops.runs
ORDER BY ended_at DESC, run_id
LIMIT 1
