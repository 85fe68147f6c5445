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

WITH mapped AS (
    SELECT
        events.customer_id,
        events.session_id,
        events.stage,
        events.phase,
        events.touchpoint,
        sessions.is_converted,
        events.session_id IS NOT NULL AND row_number() OVER (
            PARTITION BY events.session_id
            ORDER BY events.event_number DESC
        ) = 1 AS is_exit
    FROM core.events AS events
    LEFT JOIN core.sessions AS sessions
        ON events.session_id = sessions.session_id
    WHERE
        events.is_counted
        AND events.touchpoint IS NOT NULL
)

SELECT
    stage,
    phase,
    touchpoint,
    count(*) AS events,
    count(DISTINCT customer_id) AS customers,
    count(DISTINCT session_id) AS sessions,
    count(*) FILTER (WHERE is_exit) AS exits,
    rate(count(*) FILTER (WHERE is_exit), count(DISTINCT session_id)) AS exit_rate,
    count(DISTINCT session_id) FILTER (WHERE is_converted) AS converted_sessions,
    rate(
        count(DISTINCT session_id) FILTER (WHERE is_converted),
        count(DISTINCT session_id)
    ) AS conversion_rate
FROM mapped
GROUP BY ALL
ORDER BY
    events DESC,
    stage,
    phase,
    touchpoint
