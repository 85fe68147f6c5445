-- mart.renewals: How many subscriptions start, renew, grow, shrink and end each month.
--
-- Grain   month
-- Reads   core.events, ops.settings
-- Note    of the canonical subscription events; a subscription counts once a month in each column
--
-- column month: First day of the month, in the report time zone.
-- column started: Subscriptions that started.
-- column renewed: Subscriptions that were renewed.
-- column upgraded: Subscriptions that grew (upgraded, seats or add-ons bought).
-- column downgraded: Subscriptions that shrank.
-- column cancelled: Subscriptions that were cancelled.
-- column expired: Subscriptions that expired and were not cancelled in the same month.
-- column decided: Subscriptions that were renewed or ended.
-- column renewal_rate: Renewed and not ended in the same month / decided.
-- column renewal_rate_low: Low end of the Wilson 95 % interval of renewal_rate.
-- column renewal_rate_high: High end of the Wilson 95 % interval of renewal_rate.

WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

subscriptions AS (
    SELECT
        date_trunc('month', events.occurred_at AT TIME ZONE report.time_zone)::DATE AS month,
        events.source,
        coalesce(events.record_id, events.properties ->> '$.subscription_id', events.customer_id) AS subscription_id,
        bool_or(events.event = 'subscription_started') AS is_started,
        bool_or(events.event = 'subscription_renewed') AS is_renewed,
        bool_or(events.event IN ('subscription_upgraded', 'seats_added', 'addon_bought')) AS is_upgraded,
        bool_or(events.event = 'subscription_downgraded') AS is_downgraded,
        bool_or(events.event = 'subscription_cancelled') AS is_cancelled,
        bool_or(events.event = 'subscription_expired') AS is_expired
    FROM core.events AS events
    CROSS JOIN report
    WHERE
        events.is_counted
        AND (starts_with(events.event, 'subscription_') OR events.event IN ('seats_added', 'addon_bought'))
    GROUP BY ALL
),

counted AS (
    SELECT
        month,
        count(*) FILTER (WHERE is_started) AS started,
        count(*) FILTER (WHERE is_renewed) AS renewed,
        count(*) FILTER (WHERE is_upgraded) AS upgraded,
        count(*) FILTER (WHERE is_downgraded) AS downgraded,
        count(*) FILTER (WHERE is_cancelled) AS cancelled,
        count(*) FILTER (WHERE is_expired AND NOT is_cancelled) AS expired,
        count(*) FILTER (WHERE is_renewed OR is_cancelled OR is_expired) AS decided,
        count(*) FILTER (WHERE is_renewed AND NOT is_cancelled AND NOT is_expired) AS kept
    FROM subscriptions
    GROUP BY month
)

SELECT
    month,
    started,
    renewed,
    upgraded,
    downgraded,
    cancelled,
    expired,
    decided,
    rate(kept, decided) AS renewal_rate,
    wilson_low(kept, decided) AS renewal_rate_low,
    wilson_high(kept, decided) AS renewal_rate_high
FROM counted
ORDER BY month
