-- mart.lifecycle: Customers who are new, come back, return after a break or fall silent, week by week.
--
-- Grain   week
-- Reads   core.events, mart.horizons, ops.settings
-- Note    active is who did something of their own, or bought; weeks of the report time zone that have ended at the
--         horizon of the journey; active is new, returning and resurrected together
--
-- column week: Monday of the week.
-- column active_customers: Customers active in the week.
-- column new_customers: Of those, in their first week.
-- column returning_customers: Of those, active in the week before as well.
-- column resurrected_customers: Of those, active before but not in the week before.
-- column dormant_customers: Customers active in the week before and not in this one.

WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

complete AS (
    SELECT min(horizon) AS horizon
    FROM mart.horizons
    WHERE is_in_journey
),

weeks AS (
    SELECT DISTINCT
        events.customer_id,
        date_trunc('week', events.occurred_at AT TIME ZONE report.time_zone)::DATE AS week
    FROM core.events AS events
    CROSS JOIN report
    WHERE
        events.is_counted
        AND (events.is_active OR events.is_conversion)
),

walked AS (
    SELECT
        week,
        lag(week) OVER walk AS week_before,
        lead(week) OVER walk AS week_after
    FROM weeks
    WINDOW walk AS (PARTITION BY customer_id ORDER BY week)
),

told AS (
    SELECT
        week,
        CASE
            WHEN week_before IS NULL THEN 'new'
            WHEN week_before = week - 7 THEN 'returning'
            ELSE 'resurrected'
        END AS kind
    FROM walked
    UNION ALL
    SELECT
        week + 7 AS week,
        'dormant' AS kind
    FROM walked
    WHERE week_after IS DISTINCT FROM week + 7
)

SELECT
    told.week,
    count(*) FILTER (WHERE told.kind <> 'dormant') AS active_customers,
    count(*) FILTER (WHERE told.kind = 'new') AS new_customers,
    count(*) FILTER (WHERE told.kind = 'returning') AS returning_customers,
    count(*) FILTER (WHERE told.kind = 'resurrected') AS resurrected_customers,
    count(*) FILTER (WHERE told.kind = 'dormant') AS dormant_customers
FROM told
CROSS JOIN report
CROSS JOIN complete
WHERE (told.week + INTERVAL 7 DAY) AT TIME ZONE report.time_zone <= complete.horizon
GROUP BY told.week
ORDER BY told.week
