-- What customers did while their ticket waited: events of their own until the first answer, and from then until it was resolved, by how many
-- tickets saw one. A ticket without an answer waits until it is resolved.
WITH waits AS (
    SELECT
        customer_id,
        source || '/' || record_id AS ticket,
        unnest([
            {'wait': 'until the first answer', 'begins_at': opened_at, 'ends_at': coalesce(first_reply_at, closed_at)},
            {'wait': 'until it is resolved', 'begins_at': first_reply_at, 'ends_at': closed_at}
        ], recursive := TRUE)
    FROM mart.service_contacts
    WHERE kind = 'ticket'
),

ended AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY wait) AS of_tickets
    FROM waits
    WHERE begins_at < ends_at
)

SELECT
    ended.wait,
    coalesce(events.touchpoint, events.event) AS contact,
    count(DISTINCT ended.ticket) AS tickets,
    any_value(ended.of_tickets) AS of_tickets
FROM ended
INNER JOIN core.events AS events
    ON
        ended.customer_id = events.customer_id
        AND ended.begins_at < events.occurred_at
        AND ended.ends_at > events.occurred_at
WHERE
    events.is_counted
    AND events.is_active
    AND NOT starts_with(events.event, 'ticket_')
GROUP BY ALL
ORDER BY ended.wait, tickets DESC, contact
