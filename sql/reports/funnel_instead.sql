-- What the customer did next after the last step, of first attempts that stopped for good: of the newest 28 days of entry in which any did,
-- within the window; by funnel and last step.
WITH stopped AS (
    SELECT
        funnel,
        unit_id,
        customer_id,
        depth,
        list_max(step_times) AS stopped_at,
        closes_at,
        entry_day,
        max(entry_day) OVER (PARTITION BY funnel) AS newest_day
    FROM mart.funnel_entrants
    WHERE is_first AND status = 'dropped' AND closes_at IS NOT NULL
),

recent AS (
    SELECT *
    FROM stopped
    WHERE entry_day > newest_day - 28
),

followed AS (
    SELECT
        recent.funnel,
        recent.unit_id,
        min_by(coalesce(events.touchpoint, events.event), events.event_number) AS contact
    FROM recent
    INNER JOIN core.events AS events
        ON
            recent.customer_id = events.customer_id
            AND recent.stopped_at < events.occurred_at
            AND recent.closes_at >= events.occurred_at
    WHERE
        events.is_counted
        AND events.is_active
        AND events.occurred_at > (SELECT min(stopped_at) FROM recent)
    GROUP BY ALL
),

counted AS (
    SELECT
        recent.funnel,
        recent.depth AS step_number,
        coalesce(followed.contact, '(nothing more)') AS contact,
        count(*) AS attempts
    FROM recent
    LEFT JOIN followed
        ON
            recent.funnel = followed.funnel
            AND recent.unit_id = followed.unit_id
    GROUP BY ALL
)

SELECT
    counted.funnel,
    counted.step_number,
    steps.step_name,
    counted.contact,
    counted.attempts,
    (sum(counted.attempts) OVER (PARTITION BY counted.funnel, counted.step_number))::BIGINT AS of_attempts
FROM counted
INNER JOIN core.funnel_definitions AS steps
    ON
        counted.funnel = steps.funnel
        AND counted.step_number = steps.step_number
ORDER BY counted.funnel, counted.step_number, counted.attempts DESC, counted.contact
