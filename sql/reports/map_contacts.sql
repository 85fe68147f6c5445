-- Each kind of contact of a stage: how many of the stage's customers had it, how many of them went on to a later stage
-- afterwards, by which channel most of it came, and whose sessions ended there without a conversion. Of everybody where the
-- variable `segment` says (everybody), else of the customers of that segment.
WITH mapped AS (
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
        session_id,
        max(last_number) AS last_number
    FROM visits
    WHERE session_id IS NOT NULL
    GROUP BY ALL
),

happened AS (
    SELECT
        visits.*,
        coalesce(visits.last_number = session_ends.last_number AND NOT sessions.is_converted, FALSE) AS is_lost_end
    FROM visits
    LEFT JOIN session_ends
        ON visits.session_id = session_ends.session_id
    LEFT JOIN core.sessions AS sessions
        ON visits.session_id = sessions.session_id
),

places AS (
    SELECT DISTINCT
        stage,
        stage_number
    FROM core.stage_entries
),

newest_entries AS (
    SELECT
        customer_id,
        stage_number,
        max(entered_at) AS entered_at
    FROM core.stage_entries
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
        bool_or(is_lost_end) AS is_lost
    FROM happened
    GROUP BY ALL
),

onward AS (
    SELECT DISTINCT
        contacts.customer_id,
        contacts.stage,
        contacts.phase,
        contacts.touchpoint
    FROM contacts
    INNER JOIN places
        ON contacts.stage = places.stage
    INNER JOIN newest_entries
        ON
            contacts.customer_id = newest_entries.customer_id
            AND places.stage_number < newest_entries.stage_number
            AND contacts.first_at <= newest_entries.entered_at
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

ends AS (
    SELECT
        stage,
        phase,
        touchpoint,
        count(session_id) AS sessions,
        count(*) FILTER (WHERE is_lost_end) AS lost_sessions
    FROM happened
    GROUP BY ALL
),

stages AS (
    SELECT
        stage,
        count(DISTINCT customer_id) AS of_customers
    FROM happened
    GROUP BY ALL
),

counted AS (
    SELECT
        contacts.stage,
        contacts.phase,
        contacts.touchpoint,
        sum(contacts.events)::BIGINT AS events,
        count(*) AS customers,
        count(onward.customer_id) AS went_on,
        count(*) FILTER (WHERE contacts.is_lost) AS lost_customers
    FROM contacts
    LEFT JOIN onward
        ON
            contacts.customer_id = onward.customer_id
            AND contacts.stage = onward.stage
            AND contacts.phase IS NOT DISTINCT FROM onward.phase
            AND contacts.touchpoint = onward.touchpoint
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
    counted.went_on,
    counted.went_on / nullif(counted.customers, 0) AS onward_share,
    channels.channel,
    ends.sessions,
    ends.lost_sessions,
    ends.lost_sessions / nullif(ends.sessions, 0) AS lost_share,
    counted.lost_customers
FROM counted
INNER JOIN stages
    ON counted.stage = stages.stage
LEFT JOIN channels
    ON
        counted.stage = channels.stage
        AND counted.phase IS NOT DISTINCT FROM channels.phase
        AND counted.touchpoint = channels.touchpoint
        AND channels.place = 1
LEFT JOIN ends
    ON
        counted.stage = ends.stage
        AND counted.phase IS NOT DISTINCT FROM ends.phase
        AND counted.touchpoint = ends.touchpoint
ORDER BY
    counted.stage,
    counted.customers DESC,
    counted.phase,
    counted.touchpoint
