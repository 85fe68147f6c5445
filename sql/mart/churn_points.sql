-- mart.churn_points: What customers who went quiet saw last, and what they had had, against those who stayed.
--
-- Grain   stage, touchpoint
-- Reads   core.customers, core.events, mart.horizons, ops.settings
-- Note    of purchasers; quiet as in mart.churn, at the horizon of the journey; events after the last activity of a
--         customer (mails we sent) are left out, robots and internal traffic too
--
-- column stage: Stage of the touchpoint.
-- column touchpoint: The kind of contact.
-- column churned_last: Customers who went quiet and saw this last.
-- column retained_last: Customers who stayed and saw this last so far.
-- column churned_had: Customers who went quiet and ever had this contact.
-- column retained_had: Customers who stayed and ever had it.
-- column churned: All customers who went quiet.
-- column retained: All customers who stayed.
-- column last_difference: churned_last / churned less retained_last / retained; above 0 the quiet saw it last more often.
-- column churn_rate: Of those who ever had it, who went quiet: churned_had / (churned_had + retained_had).
-- column churn_rate_low: Low end of the Wilson 95 % interval of churn_rate.
-- column churn_rate_high: High end of the Wilson 95 % interval of churn_rate.

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

events AS (
    SELECT
        core.events.customer_id,
        core.events.event_number,
        core.events.occurred_at,
        core.events.stage,
        core.events.touchpoint,
        core.events.is_active OR core.events.is_conversion AS is_own
    FROM core.events
    INNER JOIN core.customers
        ON core.events.customer_id = core.customers.customer_id
    CROSS JOIN complete
    WHERE
        core.customers.first_purchase_at <= complete.horizon
        AND core.events.is_counted
        AND core.events.occurred_at <= complete.horizon
),

customers AS (
    SELECT
        events.customer_id,
        max(events.event_number) FILTER (WHERE events.is_own) AS last_number,
        max(events.occurred_at) FILTER (WHERE events.is_own)
        + to_seconds(any_value(quiet.seconds)) <= any_value(complete.horizon) AS is_churned
    FROM events
    CROSS JOIN complete
    CROSS JOIN quiet
    GROUP BY events.customer_id
),

totals AS (
    SELECT
        count(*) FILTER (WHERE is_churned) AS churned,
        count(*) FILTER (WHERE NOT is_churned) AS retained
    FROM customers
),

contacts AS (
    SELECT
        customers.customer_id,
        customers.is_churned,
        events.stage,
        events.touchpoint,
        max(events.event_number) AS last_number
    FROM customers
    INNER JOIN events
        ON
            customers.customer_id = events.customer_id
            AND customers.last_number >= events.event_number
    WHERE events.touchpoint IS NOT NULL
    GROUP BY ALL
),

marked AS (
    SELECT
        *,
        last_number = max(last_number) OVER (PARTITION BY customer_id) AS is_last
    FROM contacts
),

counted AS (
    SELECT
        stage,
        touchpoint,
        count(*) FILTER (WHERE is_churned AND is_last) AS churned_last,
        count(*) FILTER (WHERE NOT is_churned AND is_last) AS retained_last,
        count(*) FILTER (WHERE is_churned) AS churned_had,
        count(*) FILTER (WHERE NOT is_churned) AS retained_had
    FROM marked
    GROUP BY ALL
)

SELECT
    counted.stage,
    counted.touchpoint,
    counted.churned_last,
    counted.retained_last,
    counted.churned_had,
    counted.retained_had,
    totals.churned,
    totals.retained,
    rate(counted.churned_last, totals.churned) - rate(counted.retained_last, totals.retained) AS last_difference,
    rate(counted.churned_had, counted.churned_had + counted.retained_had) AS churn_rate,
    wilson_low(counted.churned_had, counted.churned_had + counted.retained_had) AS churn_rate_low,
    wilson_high(counted.churned_had, counted.churned_had + counted.retained_had) AS churn_rate_high
FROM counted
CROSS JOIN totals
ORDER BY
    counted.churned_last DESC,
    counted.stage,
    counted.touchpoint
