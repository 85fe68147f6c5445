-- mart.touchpoints: Each kind of contact: how often, with how many customers, and how its sessions end.
--
-- Grain   stage, phase, touchpoint
-- Reads   mart.segment_touchpoints
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
FROM mart.segment_touchpoints
WHERE segment = '(everybody)'
ORDER BY
    events DESC,
    stage,
    phase,
    touchpoint
