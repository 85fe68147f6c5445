-- The rows of mart.segment_touchpoints: counts per kind of contact, of everybody and of the customers of each segment.
WITH mapped AS NOT MATERIALIZED (
    SELECT *
    FROM core.events
    WHERE
        is_counted
        AND touchpoint IS NOT NULL
),

members AS (
    SELECT
        customer_id,
        '(everybody)' AS segment
    FROM core.customers
    UNION ALL
    SELECT
        customer_id,
        segment
    FROM core.customer_segments
),

visits AS (
    SELECT
        customer_id,
        session_id,
        stage,
        phase,
        touchpoint,
        min(occurred_at) AS first_at,
        count(*) AS events,
        max(event_number) AS last_number
    FROM mapped
    GROUP BY ALL
),

session_ends AS (
    SELECT
        session_id,
        max(last_number) AS last_number
    FROM visits
    WHERE session_id IS NOT NULL
    GROUP BY session_id
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

asked AS (
    SELECT DISTINCT
        mapped.customer_id,
        mapped.stage,
        mapped.phase,
        mapped.touchpoint
    FROM mapped
    INNER JOIN core.events AS tickets
        ON
            mapped.customer_id = tickets.customer_id
            AND mapped.event_number < tickets.event_number
            AND mapped.occurred_at + INTERVAL 24 HOUR >= tickets.occurred_at
    WHERE
        tickets.is_counted
        AND tickets.event = 'ticket_opened'
),

converted AS (
    SELECT session_id
    FROM core.sessions
    WHERE is_converted
),

facts AS (
    SELECT
        visits.customer_id,
        visits.stage,
        visits.phase,
        visits.touchpoint,
        visits.first_at,
        visits.events,
        visits.session_id IS NOT NULL AS is_session,
        is_session AND visits.session_id IN (FROM converted) AS is_converted,
        session_ends.session_id IS NOT NULL AS is_exit,
        FALSE AS is_failed,
        FALSE AS is_asked
    FROM visits
    LEFT JOIN session_ends
        ON
            visits.session_id = session_ends.session_id
            AND visits.last_number = session_ends.last_number
    UNION ALL BY NAME
    SELECT
        customer_id,
        stage,
        phase,
        touchpoint,
        TRUE AS is_failed
    FROM failed
    UNION ALL BY NAME
    SELECT
        *,
        TRUE AS is_asked
    FROM asked
),

contacts AS (
    SELECT
        customer_id,
        stage,
        phase,
        touchpoint,
        min(first_at) AS first_at,
        sum(events) AS events,
        count_if(is_session) AS sessions,
        count_if(is_converted) AS converted_sessions,
        count_if(is_exit) AS exits,
        count_if(is_exit AND NOT is_converted) AS lost_sessions,
        count_if(is_failed) AS failed_sessions,
        count_if(is_asked) AS tickets
    FROM facts
    GROUP BY ALL
),

places AS (
    SELECT DISTINCT
        stage,
        stage_number
    FROM core.stage_entries
),

onward AS (
    SELECT
        members.segment,
        contacts.stage,
        contacts.phase,
        contacts.touchpoint,
        count(*) AS went_on
    FROM contacts
    INNER JOIN places
        ON contacts.stage = places.stage
    SEMI JOIN core.stage_entries AS entries
        ON
            contacts.customer_id = entries.customer_id
            AND places.stage_number < entries.stage_number
            AND contacts.first_at <= entries.entered_at
    INNER JOIN members
        ON contacts.customer_id = members.customer_id
    GROUP BY ALL
),

channels AS (
    SELECT
        members.segment,
        mapped.stage,
        mapped.phase,
        mapped.touchpoint,
        mapped.channel,
        row_number() OVER (
            PARTITION BY members.segment, mapped.stage, mapped.phase, mapped.touchpoint
            ORDER BY count(*) DESC, mapped.channel
        ) AS place
    FROM mapped
    INNER JOIN members
        ON mapped.customer_id = members.customer_id
    WHERE mapped.channel IS NOT NULL
    GROUP BY
        members.segment,
        mapped.stage,
        mapped.phase,
        mapped.touchpoint,
        mapped.channel
),

stages AS (
    SELECT
        members.segment,
        met.stage,
        count(*) AS of_customers
    FROM (
        SELECT DISTINCT
            customer_id,
            stage
        FROM contacts
    ) AS met
    INNER JOIN members
        ON met.customer_id = members.customer_id
    GROUP BY ALL
),

counted AS (
    SELECT
        members.segment,
        contacts.stage,
        contacts.phase,
        contacts.touchpoint,
        sum(contacts.events)::BIGINT AS events,
        count(*) AS customers,
        sum(contacts.sessions)::BIGINT AS sessions,
        sum(contacts.converted_sessions)::BIGINT AS converted_sessions,
        sum(contacts.exits)::BIGINT AS exits,
        sum(contacts.lost_sessions)::BIGINT AS lost_sessions,
        count(*) FILTER (WHERE contacts.lost_sessions > 0) AS lost_customers,
        sum(contacts.failed_sessions)::BIGINT AS failed_sessions,
        sum(contacts.tickets)::BIGINT AS customers_with_ticket,
        count(*) FILTER (
            WHERE contacts.lost_sessions > 0 OR contacts.failed_sessions > 0 OR contacts.tickets > 0
        ) AS affected
    FROM contacts
    INNER JOIN members
        ON contacts.customer_id = members.customer_id
    GROUP BY ALL
)

SELECT
    counted.segment,
    counted.stage,
    counted.phase,
    counted.touchpoint,
    counted.events,
    counted.customers,
    stages.of_customers,
    coalesce(onward.went_on, 0) AS went_on,
    channels.channel,
    counted.sessions,
    counted.converted_sessions,
    counted.exits,
    counted.lost_sessions,
    counted.lost_customers,
    counted.failed_sessions,
    counted.customers_with_ticket,
    counted.affected
FROM counted
LEFT JOIN stages
    ON
        counted.segment = stages.segment
        AND counted.stage IS NOT DISTINCT FROM stages.stage
LEFT JOIN onward
    ON
        counted.segment = onward.segment
        AND counted.stage = onward.stage
        AND counted.phase IS NOT DISTINCT FROM onward.phase
        AND counted.touchpoint = onward.touchpoint
LEFT JOIN channels
    ON
        counted.segment = channels.segment
        AND counted.stage IS NOT DISTINCT FROM channels.stage
        AND counted.phase IS NOT DISTINCT FROM channels.phase
        AND counted.touchpoint = channels.touchpoint
        AND channels.place = 1
ORDER BY
    counted.segment,
    counted.stage,
    counted.phase,
    counted.touchpoint
