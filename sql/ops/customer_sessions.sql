-- The sessions of a customer, in order of time, with the first event of each.
SELECT
    sessions.session_id,
    sessions.session_number,
    sessions.started_at,
    sessions.ended_at,
    sessions.event_count,
    sessions.page_count,
    sessions.channel,
    sessions.utm_source,
    sessions.utm_medium,
    sessions.utm_campaign,
    sessions.entry_path,
    sessions.exit_path,
    sessions.device,
    sessions.deepest_stage,
    sessions.is_converted,
    sessions.revenue_minor,
    sessions.currency,
    firsts.source,
    firsts.event_id
FROM core.sessions AS sessions
LEFT JOIN (
    SELECT
        session_id,
        arg_min(source, event_number)   AS source,
        arg_min(event_id, event_number) AS event_id
    FROM core.events
    WHERE
        customer_id = $customer
        AND is_active
    GROUP BY session_id
) AS firsts
    ON sessions.session_id = firsts.session_id
WHERE sessions.customer_id = $customer
ORDER BY sessions.started_at, sessions.session_number
