-- mart.churn: Of the purchasers active at the start of a month, how many have gone quiet by its end.
--
-- Grain   month
-- Reads   core.customers, core.events, mart.horizons, ops.settings
-- Note    quiet is who has done nothing (nor bought) for as long as the journey's stage_window, 90 days without one;
--         months of the report time zone that have ended at the horizon of the journey
--
-- column month: First day of the month.
-- column active_at_start: Customers who had bought before the month and were not quiet at its start.
-- column churned: Of those, who are quiet at its end.
-- column retained: Of those, who are not.
-- column churn_rate: churned / active_at_start.
-- column churn_rate_low: Low end of the Wilson 95 % interval of churn_rate.
-- column churn_rate_high: High end of the Wilson 95 % interval of churn_rate.
-- column quiet_days: Days without activity after which a customer is quiet.

WITH quiet AS (
    SELECT
        coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone,
        coalesce(max(value) FILTER (WHERE name = 'stage_window_seconds')::BIGINT, 90 * 86400) AS seconds
    FROM ops.settings
),

complete AS (
    SELECT min(horizon) AS horizon
    FROM mart.horizons
    WHERE is_in_journey
),

activity AS (
    SELECT
        events.customer_id,
        date_trunc('month', events.occurred_at AT TIME ZONE quiet.time_zone)::DATE AS month,
        max(events.occurred_at) AS last_at
    FROM core.events AS events
    INNER JOIN core.customers AS customers
        ON events.customer_id = customers.customer_id
    CROSS JOIN quiet
    WHERE
        customers.first_purchase_at IS NOT NULL
        AND events.is_counted
        AND (events.is_active OR events.is_conversion)
    GROUP BY ALL
),

series AS (
    SELECT unnest(
        generate_series(
            (SELECT min(month) FROM activity),
            (complete.horizon AT TIME ZONE quiet.time_zone)::DATE,
            INTERVAL 1 MONTH
        )
    )::DATE AS month
    FROM complete
    CROSS JOIN quiet
),

months AS (
    SELECT
        series.month,
        series.month::TIMESTAMP AT TIME ZONE quiet.time_zone AS starts_at,
        (series.month + INTERVAL 1 MONTH) AT TIME ZONE quiet.time_zone AS ends_at
    FROM series
    CROSS JOIN quiet
),

known AS (
    SELECT
        months.month,
        months.starts_at,
        months.ends_at,
        customers.customer_id
    FROM months
    INNER JOIN core.customers AS customers
        ON months.starts_at > customers.first_purchase_at
    CROSS JOIN complete
    WHERE months.ends_at <= complete.horizon
),

standing AS (
    SELECT
        known.month,
        before.last_at + to_seconds(quiet.seconds) > known.starts_at AS is_active_at_start,
        greatest(before.last_at, within.last_at) + to_seconds(quiet.seconds) <= known.ends_at AS is_quiet_at_end,
        quiet.seconds
    FROM known
    ASOF INNER JOIN activity AS before
        ON
            known.customer_id = before.customer_id
            AND known.month > before.month
    LEFT JOIN activity AS within
        ON
            known.customer_id = within.customer_id
            AND known.month = within.month
    CROSS JOIN quiet
)

SELECT
    month,
    count(*) AS active_at_start,
    count(*) FILTER (WHERE is_quiet_at_end) AS churned,
    count(*) FILTER (WHERE NOT is_quiet_at_end) AS retained,
    rate(count(*) FILTER (WHERE is_quiet_at_end), count(*)) AS churn_rate,
    wilson_low(count(*) FILTER (WHERE is_quiet_at_end), count(*)) AS churn_rate_low,
    wilson_high(count(*) FILTER (WHERE is_quiet_at_end), count(*)) AS churn_rate_high,
    any_value(seconds) / 86400 AS quiet_days
FROM standing
WHERE is_active_at_start
GROUP BY month
ORDER BY month
