-- Finds sessions that end before they start. There should be none.
SELECT
    session_id,
    started_at,
    ended_at
FROM core.sessions
WHERE ended_at < started_at
