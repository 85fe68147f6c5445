-- The key figures by month, of the newest twelve: of those first seen in it (stage reach, leads, visitors), first in the stage (stage conversion,
-- where their time is over), who bought first in it (repeat rate), of its sessions (bounce rate). Final is a month whose
-- end, and the window of the stages after it, are over.
WITH report AS (
    SELECT
        coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone,
        max(value) FILTER (WHERE name = 'stage_window_seconds')::BIGINT AS seconds
    FROM ops.settings
),

complete AS (
    SELECT min(horizon) AS horizon
    FROM mart.horizons
    WHERE is_in_journey
),

firsts AS (
    SELECT
        customer_id,
        stage,
        stage_number,
        min(entry_number) AS entry_number,
        min(entered_at) AS entered_at
    FROM core.stage_entries
    GROUP BY ALL
),

matured AS (
    SELECT
        firsts.*,
        coalesce(firsts.entered_at + to_seconds(report.seconds), complete.horizon) AS closes_at,
        report.seconds AS final_after_seconds
    FROM firsts
    CROSS JOIN report
    CROSS JOIN complete
    WHERE
        firsts.entered_at + to_seconds(coalesce(report.seconds, 0)) <= complete.horizon
        AND firsts.stage IN (SELECT from_stage FROM mart.stage_conversion)
),

onward AS (
    SELECT DISTINCT
        matured.customer_id,
        matured.stage
    FROM matured
    INNER JOIN core.stage_entries AS entries
        ON
            matured.customer_id = entries.customer_id
            AND matured.stage_number + 1 = entries.stage_number
            AND matured.entry_number < entries.entry_number
            AND matured.closes_at >= entries.entered_at
),

told AS (
    SELECT
        'stage_conversion' AS metric,
        matured.stage,
        matured.entered_at AS told_at,
        onward.customer_id IS NOT NULL AS is_in,
        matured.final_after_seconds
    FROM matured
    LEFT JOIN onward
        ON
            matured.customer_id = onward.customer_id
            AND matured.stage = onward.stage
    UNION ALL
    SELECT
        'bounce_rate' AS metric,
        first_stage AS stage,
        started_at AS told_at,
        is_bounce AS is_in,
        0 AS final_after_seconds
    FROM core.sessions
    WHERE first_stage IS NOT NULL
    UNION ALL
    SELECT
        'stage_reach' AS metric,
        stages.stage,
        customers.first_seen_at AS told_at,
        firsts.customer_id IS NOT NULL AS is_in,
        NULL AS final_after_seconds
    FROM core.customers AS customers
    CROSS JOIN (
        SELECT DISTINCT stage
        FROM mart.kpis
        WHERE metric = 'stage_reach'
    ) AS stages
    LEFT JOIN firsts
        ON
            customers.customer_id = firsts.customer_id
            AND stages.stage = firsts.stage
    WHERE customers.event_count > 0
    UNION ALL
    SELECT
        people.metric,
        NULL AS stage,
        people.told_at,
        people.is_in,
        NULL AS final_after_seconds
    FROM (
        SELECT
            unnest([
                {'metric': 'lead_conversion', 'told_at': first_seen_at, 'is_of': is_lead, 'is_in': purchase_count > 0},
                {'metric': 'visitor_conversion', 'told_at': first_seen_at, 'is_of': visitor_count > 0, 'is_in': purchase_count > 0},
                {'metric': 'repeat_rate', 'told_at': first_purchase_at, 'is_of': purchase_count > 0, 'is_in': purchase_count > 1}
            ], recursive := TRUE)
        FROM core.customers
    ) AS people
    WHERE people.is_of
),

monthly AS (
    SELECT
        told.metric,
        told.stage,
        date_trunc('month', told.told_at AT TIME ZONE report.time_zone)::DATE AS month,
        count(*) FILTER (WHERE told.is_in) AS numerator,
        count(*) AS denominator,
        max(told.final_after_seconds) AS final_after_seconds
    FROM told
    CROSS JOIN report
    WHERE told.told_at IS NOT NULL
    GROUP BY ALL
)

SELECT
    kpis.stage,
    kpis.metric,
    monthly.month,
    monthly.numerator,
    monthly.denominator,
    monthly.numerator / nullif(monthly.denominator, 0) AS value,
    coalesce(
        (monthly.month + INTERVAL 1 MONTH) AT TIME ZONE report.time_zone + to_seconds(monthly.final_after_seconds) <= complete.horizon,
        FALSE
    ) AS is_final
FROM mart.kpis AS kpis
CROSS JOIN report
CROSS JOIN complete
INNER JOIN monthly
    ON
        kpis.metric = monthly.metric
        AND (kpis.stage = monthly.stage OR monthly.stage IS NULL)
QUALIFY monthly.month > max(monthly.month) OVER () - INTERVAL 12 MONTH
ORDER BY kpis.stage, kpis.metric, monthly.month
