-- The sessions that were there before the timeline was built, and are no more.
SELECT
    session_id,
    source,
    event_id,
    opened_at
FROM old_sessions
ANTI JOIN core.events USING (session_id)
ORDER BY session_id
