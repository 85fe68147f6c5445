-- Tickets by how they went: resolved by the first who had it, handed on, or reopened; how long they took, and how satisfied customers were in
-- the last CSAT answer they gave within seven days of the closing, of those who answered. The median counts those still open too.
WITH tickets AS (
    SELECT
        *,
        CASE
            WHEN is_reopened THEN 'reopened'
            WHEN hand_offs > 0 THEN 'handed on'
            ELSE 'straight through'
        END AS course,
        source || '/' || record_id AS ticket
    FROM mart.service_contacts
    WHERE kind = 'ticket'
),

answers AS (
    SELECT
        tickets.ticket,
        arg_max(try_cast(events.properties ->> '$.score' AS DOUBLE), events.event_number) AS score
    FROM tickets
    INNER JOIN core.events AS events
        ON
            tickets.customer_id = events.customer_id
            AND tickets.closed_at <= events.occurred_at
            AND tickets.closed_at + INTERVAL 168 HOUR >= events.occurred_at
    WHERE
        events.event = 'survey_answered'
        AND events.is_counted
        AND lower(events.properties ->> '$.survey') = 'csat'
        AND try_cast(events.properties ->> '$.score' AS DOUBLE) IS NOT NULL
    GROUP BY ALL
)

SELECT
    tickets.course,
    count(*) AS tickets,
    count(tickets.closed_at) AS resolved,
    count(DISTINCT tickets.customer_id) AS customers,
    sum(tickets.hand_offs)::BIGINT AS hand_offs,
    nullif(quantile_disc(coalesce(date_diff('second', tickets.opened_at, tickets.closed_at), 9223372036854775807), 0.5), 9223372036854775807) AS median_seconds,
    count(answers.score) AS answers,
    count(*) FILTER (WHERE answers.score >= 4) AS satisfied
FROM tickets
LEFT JOIN answers
    ON tickets.ticket = answers.ticket
GROUP BY ALL
ORDER BY tickets DESC, course
