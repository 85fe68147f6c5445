-- mart.service_contacts: Tickets and live chats, each with what it took until the customer was helped.
--
-- Grain   kind, source, record_id
-- Reads   core.events, mart.horizons
-- Note    of the canonical events ticket_opened, ticket_replied, ticket_assigned, ticket_escalated, ticket_reopened,
--         ticket_resolved and ticket_closed of an object ticket, and of chat_started and chat_answered; what a source never tells (replies,
--         say) is not judged for its records; time runs to the horizon of the journey
--
-- column kind: ticket or chat.
-- column source: Name of the source in journey.yaml.
-- column record_id: Id of the ticket or conversation.
-- column customer_id: The customer.
-- column channel: How the customer asked (properties origin, channel), in small letters; '(not known)' for none.
-- column category: What it is about (property category); null for none.
-- column opened_at: When it was opened.
-- column first_reply_at: First reply of a human (ticket_replied, chat_answered); null for none.
-- column closed_at: Last closing; null while it is open, also again after a closing.
-- column is_reopened: True when it was opened again.
-- column customer_messages: Messages of the customer (customer_messages, inbound_messages, or one_touch); null where not told.
-- column hand_offs: How often it was given to somebody else: assigned after the first time, or escalated.
-- column is_reply_told: True when the source tells of first replies.
-- column is_hand_off_told: True when the source tells of assignments or escalations; else hand_offs is 0 for want of word.
-- column is_reply_due: True when it was opened 24 hours or more before the horizon, of a source that tells replies.
-- column is_replied_in_24_hours: Of those, true when the first reply came within 24 hours; null for others.
-- column is_first_contact_due: True for a ticket closed 7 days or more before the horizon whose messages are told.
-- column is_solved_first_time: Of those, true for one message, not reopened and no new ticket of the customer within 7 days; null for others.
-- column help_delay_seconds: Of a chat, seconds from its start to the first answer; null for none.
-- column is_abandoned: Of a chat that is due a reply, true when nobody answered within 24 hours; null for others.

WITH complete AS (
    SELECT min(horizon) AS horizon
    FROM mart.horizons
    WHERE is_in_journey
),

states AS (
    SELECT
        if(object = 'ticket', 'ticket', 'chat') AS kind,
        source,
        coalesce(record_id, event_id) AS record_id,
        customer_id,
        event_number,
        event,
        occurred_at,
        properties
    FROM core.events
    CROSS JOIN complete
    WHERE
        is_counted
        AND occurred_at <= complete.horizon
        AND ((object = 'ticket' AND starts_with(event, 'ticket_')) OR event IN ('chat_started', 'chat_answered'))
),

records AS (
    SELECT
        kind,
        source,
        record_id,
        arg_min(customer_id, (occurred_at, event_number)) AS customer_id,
        lower(coalesce(max(properties ->> '$.origin'), max(properties ->> '$.channel'), if(kind = 'chat', 'chat', '(not known)')))
            AS channel,
        max(properties ->> '$.category') AS category,
        min(occurred_at) FILTER (WHERE event IN ('ticket_opened', 'chat_started')) AS opened_at,
        min(occurred_at) FILTER (WHERE event IN ('ticket_replied', 'chat_answered')) AS first_reply_at,
        max(occurred_at) FILTER (WHERE event IN ('ticket_closed', 'ticket_resolved')) AS last_closed_at,
        max((occurred_at, event_number)) FILTER (WHERE event IN ('ticket_closed', 'ticket_resolved'))
        < max((occurred_at, event_number)) FILTER (WHERE event = 'ticket_reopened') AS is_open_again,
        bool_or(event = 'ticket_reopened' OR coalesce(properties ->> '$.reopened' = 'true', FALSE)) AS is_reopened,
        coalesce(
            max(try_cast(properties ->> '$.customer_messages' AS BIGINT)),
            max(try_cast(properties ->> '$.inbound_messages' AS BIGINT)),
            max(CASE properties ->> '$.one_touch' WHEN 'true' THEN 1 WHEN 'false' THEN 2 END)
        ) AS customer_messages,
        bool_or(event IN ('ticket_assigned', 'ticket_escalated')) AS tells_hand_off,
        greatest(count(*) FILTER (WHERE event = 'ticket_assigned') - 1, 0)
        + count(*) FILTER (WHERE event = 'ticket_escalated') AS hand_offs
    FROM states
    GROUP BY
        kind,
        source,
        record_id
    HAVING count(*) FILTER (WHERE event IN ('ticket_opened', 'chat_started')) > 0
),

told AS (
    SELECT
        records.*,
        complete.horizon,
        bool_or(records.first_reply_at IS NOT NULL) OVER (PARTITION BY records.kind, records.source) AS is_reply_told,
        bool_or(records.tells_hand_off) OVER (PARTITION BY records.kind, records.source) AS is_hand_off_told,
        lead(records.opened_at) OVER (
            PARTITION BY
                records.customer_id,
                records.kind
            ORDER BY
                records.opened_at,
                records.source,
                records.record_id
        ) AS next_opened_at
    FROM records
    CROSS JOIN complete
),

due AS (
    SELECT
        *,
        is_reply_told AND opened_at <= horizon - INTERVAL 24 HOUR AS is_reply_due,
        kind = 'ticket'
        AND customer_messages IS NOT NULL
        AND coalesce(last_closed_at <= horizon - INTERVAL 168 HOUR, FALSE) AS is_first_contact_due,
        coalesce(first_reply_at <= opened_at + INTERVAL 24 HOUR, FALSE) AS is_replied
    FROM told
)

SELECT
    kind,
    source,
    record_id,
    customer_id,
    channel,
    category,
    opened_at,
    first_reply_at,
    if(coalesce(is_open_again, FALSE), NULL, last_closed_at) AS closed_at,
    is_reopened,
    customer_messages,
    hand_offs,
    is_reply_told,
    is_hand_off_told,
    is_reply_due,
    if(is_reply_due, is_replied, NULL) AS is_replied_in_24_hours,
    is_first_contact_due,
    if(
        is_first_contact_due,
        customer_messages = 1
        AND NOT is_reopened
        AND coalesce(next_opened_at > last_closed_at + INTERVAL 168 HOUR, TRUE),
        NULL
    ) AS is_solved_first_time,
    if(kind = 'chat', date_diff('second', opened_at, first_reply_at), NULL) AS help_delay_seconds,
    if(kind = 'chat' AND is_reply_due, NOT is_replied, NULL) AS is_abandoned
FROM due
ORDER BY
    opened_at,
    kind,
    source,
    record_id
