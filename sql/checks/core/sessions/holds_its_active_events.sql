-- Finds sessions that do not count the active events that name them. There should be none.
WITH named AS (
    SELECT
        session_id,
        count(*) AS events
    FROM core.events
    WHERE
        session_id IS NOT NULL
        AND is_active
        AND is_counted
    GROUP BY session_id
)

SELECT
    sessions.session_id,
    sessions.event_count,
    named.events
FROM core.sessions AS sessions
LEFT JOIN named
    ON sessions.session_id = named.session_id
WHERE sessions.event_count IS DISTINCT FROM coalesce(named.events, 0)
