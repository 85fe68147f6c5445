-- Finds sessions that events name and that core.sessions does not have. There should be none.
SELECT DISTINCT events.session_id
FROM core.events AS events
ANTI JOIN core.sessions AS sessions
    ON events.session_id = sessions.session_id
WHERE events.session_id IS NOT NULL
