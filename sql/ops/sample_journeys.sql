-- Everything that some customers did, in order, robots and internal traffic aside.
SELECT
    events.customer_id,
    events.occurred_at,
    sessions.session_number,
    events.event,
    events.stage,
    events.phase,
    events.touchpoint,
    events.channel,
    events.path,
    events.state,
    events.is_stage_entry,
    events.is_conversion,
    events.value_minor,
    events.currency
FROM core.events AS events
LEFT JOIN core.sessions AS sessions
    ON events.session_id = sessions.session_id
WHERE
    list_contains($customers, events.customer_id)
    AND events.is_counted
ORDER BY
    events.customer_id,
    events.event_number
