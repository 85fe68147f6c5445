-- Each kind of contact: how often, with how many customers, and where sessions end.
SELECT
    stage,
    phase,
    touchpoint,
    events,
    customers,
    sessions,
    exits,
    exits / nullif(sessions, 0) AS exit_rate,
    converted_sessions,
    converted_sessions / nullif(sessions, 0) AS conversion_rate
FROM mart.touchpoints
ORDER BY exits DESC, stage, phase, touchpoint
