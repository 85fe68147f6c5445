-- mart.friction: Touchpoints ranked by what goes wrong there and how many customers it affects.
--
-- Grain   stage, phase, touchpoint
-- Reads   core.events, core.sessions
-- Note    trouble is a session without a conversion that ends at the touchpoint, an error in the session at or right
--         after it (an event whose name ends in error or failed, or the page 404), or a ticket within 24 hours after it; a
--         customer with several kinds of trouble is affected once; robots and internal traffic are left out
--
-- column rank: 1 for the touchpoint that affects most customers; ties by the share affected, then by name.
-- column stage: Stage of the touchpoint.
-- column phase: Phase within the stage; null for none.
-- column touchpoint: The kind of contact.
-- column customers: Customers who had it.
-- column affected: Of those, with any trouble.
-- column affected_rate: affected / customers.
-- column affected_rate_low: Low end of the Wilson 95 % interval of affected_rate.
-- column affected_rate_high: High end of the Wilson 95 % interval of affected_rate.
-- column sessions: Sessions in which it happened.
-- column exits: Of those, without a conversion and with this as their last mapped event.
-- column errors: Of those, with an error before the next touchpoint.
-- column converted_sessions: Of those, with a conversion.
-- column conversion_rate: converted_sessions / sessions.
-- column customers_with_ticket: Customers who opened a ticket within 24 hours after it.

WITH marked AS (
    SELECT
        customer_id,
        session_id,
        event_number,
        occurred_at,
        stage,
        phase,
        touchpoint,
        event = 'ticket_opened' AS is_ticket,
        regexp_matches(event, '(^|_)(error|errors|failed|exception)$') OR coalesce(path = '/404', FALSE) AS is_error
    FROM core.events
    WHERE is_counted
),

mapped AS (
    SELECT
        *,
        coalesce(lead(event_number) OVER visit, 4294967295) AS next_number
    FROM marked
    WHERE touchpoint IS NOT NULL
    WINDOW visit AS (PARTITION BY customer_id, session_id ORDER BY event_number)
),

failed AS (
    SELECT DISTINCT
        mapped.customer_id,
        mapped.event_number
    FROM mapped
    INNER JOIN marked AS errors
        ON
            mapped.customer_id = errors.customer_id
            AND mapped.session_id = errors.session_id
            AND mapped.event_number <= errors.event_number
            AND mapped.next_number > errors.event_number
    WHERE errors.is_error
),

asked AS (
    SELECT DISTINCT
        mapped.customer_id,
        mapped.event_number
    FROM mapped
    INNER JOIN marked AS tickets
        ON
            mapped.customer_id = tickets.customer_id
            AND mapped.event_number < tickets.event_number
            AND mapped.occurred_at + INTERVAL 24 HOUR >= tickets.occurred_at
    WHERE tickets.is_ticket
),

contacts AS (
    SELECT
        mapped.customer_id,
        mapped.session_id,
        mapped.stage,
        mapped.phase,
        mapped.touchpoint,
        bool_or(mapped.next_number = 4294967295) AS is_last,
        bool_or(failed.event_number IS NOT NULL) AS has_error,
        bool_or(asked.event_number IS NOT NULL) AS has_ticket
    FROM mapped
    LEFT JOIN failed
        ON
            mapped.customer_id = failed.customer_id
            AND mapped.event_number = failed.event_number
    LEFT JOIN asked
        ON
            mapped.customer_id = asked.customer_id
            AND mapped.event_number = asked.event_number
    GROUP BY ALL
),

judged AS (
    SELECT
        contacts.*,
        coalesce(sessions.is_converted, FALSE) AS is_converted,
        contacts.session_id IS NOT NULL AND contacts.is_last AND NOT coalesce(sessions.is_converted, FALSE) AS is_exit
    FROM contacts
    LEFT JOIN core.sessions AS sessions
        ON contacts.session_id = sessions.session_id
),

customers AS (
    SELECT
        stage,
        phase,
        touchpoint,
        customer_id,
        bool_or(is_exit OR has_error OR has_ticket) AS is_affected,
        bool_or(has_ticket) AS has_ticket,
        count(session_id) AS sessions,
        count(*) FILTER (WHERE is_exit) AS exits,
        count(*) FILTER (WHERE has_error AND session_id IS NOT NULL) AS errors,
        count(*) FILTER (WHERE is_converted) AS converted_sessions
    FROM judged
    GROUP BY ALL
),

counted AS (
    SELECT
        stage,
        phase,
        touchpoint,
        count(*) AS customers,
        count(*) FILTER (WHERE is_affected) AS affected,
        sum(sessions)::BIGINT AS sessions,
        sum(exits)::BIGINT AS exits,
        sum(errors)::BIGINT AS errors,
        sum(converted_sessions)::BIGINT AS converted_sessions,
        count(*) FILTER (WHERE has_ticket) AS customers_with_ticket
    FROM customers
    GROUP BY ALL
)

SELECT
    row_number() OVER (
        ORDER BY
            affected DESC,
            customers,
            stage,
            phase,
            touchpoint
    ) AS rank,
    stage,
    phase,
    touchpoint,
    customers,
    affected,
    rate(affected, customers) AS affected_rate,
    wilson_low(affected, customers) AS affected_rate_low,
    wilson_high(affected, customers) AS affected_rate_high,
    sessions,
    exits,
    errors,
    converted_sessions,
    rate(converted_sessions, sessions) AS conversion_rate,
    customers_with_ticket
FROM counted
ORDER BY rank
