-- mart.touchpoints: Each kind of contact: how often, with how many customers, and how its sessions end.
--
-- Grain   stage, phase, touchpoint
-- Reads   core.events, core.sessions
-- Note    robots and internal traffic are left out; the rarely used are as visible as the common ones
--
-- column stage: Stage of the touchpoint.
-- column phase: Phase within the stage; null for none.
-- column touchpoint: The kind of contact.
-- column events: Events of it.
-- column customers: Customers who had it.
-- column sessions: Sessions in which it happened.
-- column exits: Sessions whose last mapped event it is.
-- column exit_rate: exits / sessions.
-- column converted_sessions: Sessions in which it happened and that hold a conversion.
-- column conversion_rate: converted_sessions / sessions.

WITH contacts AS (
    SELECT
        customer_id,
        session_id,
        stage,
        phase,
        touchpoint,
        count(*) AS events,
        max(event_number) AS last_number
    FROM core.events
    WHERE
        is_counted
        AND touchpoint IS NOT NULL
    GROUP BY ALL
),

ends AS (
    SELECT
        session_id,
        max(last_number) AS last_number
    FROM contacts
    WHERE session_id IS NOT NULL
    GROUP BY session_id
),

counted AS (
    SELECT
        contacts.stage,
        contacts.phase,
        contacts.touchpoint,
        sum(contacts.events)::BIGINT AS events,
        count(DISTINCT contacts.customer_id) AS customers,
        count(contacts.session_id) AS sessions,
        count(*) FILTER (WHERE contacts.last_number = ends.last_number) AS exits,
        count(*) FILTER (WHERE sessions.is_converted) AS converted_sessions
    FROM contacts
    LEFT JOIN ends
        ON contacts.session_id = ends.session_id
    LEFT JOIN core.sessions AS sessions
        ON contacts.session_id = sessions.session_id
    GROUP BY ALL
)

SELECT
    stage,
    phase,
    touchpoint,
    events,
    customers,
    sessions,
    exits,
    rate(exits, sessions) AS exit_rate,
    converted_sessions,
    rate(converted_sessions, sessions) AS conversion_rate
FROM counted
ORDER BY
    events DESC,
    stage,
    phase,
    touchpoint
