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

WITH mapped AS NOT MATERIALIZED (
    SELECT
        customer_id,
        session_id,
        event_number,
        occurred_at,
        stage,
        phase,
        touchpoint
    FROM core.events
    WHERE
        is_counted
        AND touchpoint IS NOT NULL
),

failures AS (
    SELECT
        session_id,
        event_number
    FROM core.events
    WHERE
        is_counted
        AND session_id IS NOT NULL
        AND (regexp_matches(event, '(^|_)(error|errors|failed|exception)$') OR path = '/404')
),

tickets AS (
    SELECT
        customer_id,
        event_number,
        occurred_at
    FROM core.events
    WHERE
        is_counted
        AND event = 'ticket_opened'
),

visits AS (
    SELECT
        customer_id,
        session_id,
        stage,
        phase,
        touchpoint,
        max(event_number) AS last_number
    FROM mapped
    GROUP BY ALL
),

ends AS (
    SELECT
        any_value(customer_id) AS customer_id,
        session_id,
        unnest(max_by({'stage': stage, 'phase': phase, 'touchpoint': touchpoint}, last_number))
    FROM visits
    WHERE session_id IS NOT NULL
    GROUP BY session_id
),

failed AS (
    SELECT DISTINCT
        mapped.customer_id,
        mapped.session_id,
        mapped.stage,
        mapped.phase,
        mapped.touchpoint
    FROM failures
    ASOF INNER JOIN (
        SELECT *
        FROM mapped
        WHERE session_id IN (SELECT session_id FROM failures)
    ) AS mapped
        ON
            failures.session_id = mapped.session_id
            AND failures.event_number >= mapped.event_number
),

trouble AS (
    SELECT
        customer_id,
        stage,
        phase,
        touchpoint,
        'exit' AS kind
    FROM ends
    WHERE session_id NOT IN (SELECT session_id FROM core.sessions WHERE is_converted)
    UNION ALL
    SELECT
        customer_id,
        stage,
        phase,
        touchpoint,
        'error' AS kind
    FROM failed
    UNION ALL
    SELECT DISTINCT
        mapped.customer_id,
        mapped.stage,
        mapped.phase,
        mapped.touchpoint,
        'ticket' AS kind
    FROM mapped
    INNER JOIN tickets
        ON
            mapped.customer_id = tickets.customer_id
            AND mapped.event_number < tickets.event_number
            AND mapped.occurred_at + INTERVAL 24 HOUR >= tickets.occurred_at
),

troubled AS (
    SELECT
        stage,
        phase,
        touchpoint,
        count(DISTINCT customer_id) AS affected,
        count(*) FILTER (WHERE kind = 'exit') AS exits,
        count(*) FILTER (WHERE kind = 'error') AS errors,
        count(*) FILTER (WHERE kind = 'ticket') AS customers_with_ticket
    FROM trouble
    GROUP BY ALL
),

customers AS (
    SELECT
        stage,
        phase,
        touchpoint,
        count(session_id) AS sessions,
        count(*) FILTER (
            WHERE session_id IN (SELECT session_id FROM core.sessions WHERE is_converted)
        ) AS converted_sessions
    FROM visits
    GROUP BY
        customer_id,
        stage,
        phase,
        touchpoint
),

counted AS (
    SELECT
        stage,
        phase,
        touchpoint,
        count(*) AS customers,
        sum(sessions)::BIGINT AS sessions,
        sum(converted_sessions)::BIGINT AS converted_sessions
    FROM customers
    GROUP BY ALL
),

joined AS (
    SELECT
        counted.*,
        coalesce(troubled.affected, 0) AS affected,
        coalesce(troubled.exits, 0) AS exits,
        coalesce(troubled.errors, 0) AS errors,
        coalesce(troubled.customers_with_ticket, 0) AS customers_with_ticket
    FROM counted
    LEFT JOIN troubled
        ON
            counted.stage IS NOT DISTINCT FROM troubled.stage
            AND counted.phase IS NOT DISTINCT FROM troubled.phase
            AND counted.touchpoint = troubled.touchpoint
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
FROM joined
ORDER BY rank
