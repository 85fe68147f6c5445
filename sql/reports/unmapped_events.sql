-- Events that no rule of the journey maps to a stage.
SELECT
    source,
    event,
    events,
    of_events,
    customers
FROM mart.unmapped_events
ORDER BY events DESC, source, event
