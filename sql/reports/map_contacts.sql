-- Each kind of contact of a stage: how many of the stage's customers had it, how many of them went on to a later stage
-- afterwards, by which channel most of it came, and whose sessions ended there without a conversion. Of everybody where the
-- variable `segment` says (everybody), else of the customers of that segment.
WITH mapped AS NOT MATERIALIZED (
    SELECT *
    FROM core.events
    WHERE
        is_counted
        AND touchpoint IS NOT NULL
        AND (
            getvariable('segment') = '(everybody)'
            OR customer_id IN (SELECT customer_id FROM core.customer_segments WHERE segment = getvariable('segment'))
        )
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
        any_value(customer_id) AS customer_id,
        session_id,
        unnest(max_by({'stage': stage, 'phase': phase, 'touchpoint': touchpoint}, last_number))
    FROM visits
    WHERE session_id IS NOT NULL
    GROUP BY session_id
),

lost AS (
    SELECT
        stage,
        phase,
        touchpoint,
        count(*) AS lost_sessions,
        count(DISTINCT customer_id) AS lost_customers
    FROM session_ends
    WHERE session_id NOT IN (SELECT session_id FROM core.sessions WHERE is_converted)
    GROUP BY ALL
),

contacts AS (
    SELECT
        customer_id,
        stage,
        phase,
        touchpoint,
        min(first_at) AS first_at,
        sum(events) AS events,
        count(session_id) AS sessions
    FROM visits
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
    GROUP BY ALL
),

channels AS (
    SELECT
        stage,
        phase,
        touchpoint,
        channel,
        row_number() OVER (PARTITION BY stage, phase, touchpoint ORDER BY count(*) DESC, channel) AS place
    FROM mapped
    WHERE channel IS NOT NULL
    GROUP BY
        stage,
        phase,
        touchpoint,
        channel
),

stages AS (
    SELECT
        stage,
        count(DISTINCT customer_id) AS of_customers
    FROM contacts
    GROUP BY ALL
),

counted AS (
    SELECT
        stage,
        phase,
        touchpoint,
        sum(events)::BIGINT AS events,
        count(*) AS customers,
        sum(sessions)::BIGINT AS sessions
    FROM contacts
    GROUP BY ALL
)

SELECT
    counted.stage,
    counted.phase,
    counted.touchpoint,
    counted.events,
    counted.customers,
    stages.of_customers,
    counted.customers / nullif(stages.of_customers, 0) AS customer_share,
    coalesce(onward.went_on, 0) AS went_on,
    coalesce(onward.went_on, 0) / nullif(counted.customers, 0) AS onward_share,
    channels.channel,
    counted.sessions,
    coalesce(lost.lost_sessions, 0) AS lost_sessions,
    coalesce(lost.lost_sessions, 0) / nullif(counted.sessions, 0) AS lost_share,
    coalesce(lost.lost_customers, 0) AS lost_customers
FROM counted
INNER JOIN stages
    ON counted.stage = stages.stage
LEFT JOIN onward
    ON
        counted.stage = onward.stage
        AND counted.phase IS NOT DISTINCT FROM onward.phase
        AND counted.touchpoint = onward.touchpoint
LEFT JOIN channels
    ON
        counted.stage = channels.stage
        AND counted.phase IS NOT DISTINCT FROM channels.phase
        AND counted.touchpoint = channels.touchpoint
        AND channels.place = 1
LEFT JOIN lost
    ON
        counted.stage = lost.stage
        AND counted.phase IS NOT DISTINCT FROM lost.phase
        AND counted.touchpoint = lost.touchpoint
ORDER BY
    counted.stage,
    counted.customers DESC,
    counted.phase,
    counted.touchpoint
