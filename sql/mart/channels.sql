-- mart.channels: What each channel brings: sessions, customers, conversions and revenue.
--
-- Grain   channel
-- Reads   core.sessions, core.events, ops.settings
-- Note    a conversion belongs to the channel of its own session or contact; for shared credit see mart.attribution;
--         a value without a currency is in the report currency, as in core.sessions
--
-- column channel: The channel; '(not known)' for none.
-- column sessions: Sessions.
-- column customers: Distinct customers in them.
-- column bounces: Sessions of exactly one active event.
-- column converted_sessions: Sessions that hold a conversion.
-- column conversion_rate: converted_sessions / sessions.
-- column conversion_rate_low: Low end of the Wilson 95 % interval of conversion_rate (each session by itself).
-- column conversion_rate_high: High end of the Wilson 95 % interval of conversion_rate.
-- column conversions: Conversions, in sessions or outside of them.
-- column revenue_minor: Sum of the conversions' value in minor units of the report currency, less returns; in sessions (as in core.sessions and mart.sessions_daily) or outside of them.
-- column currency: The report currency.
-- column conversions_in_other_currencies: Conversions whose value is in another currency and not part of revenue_minor.

WITH report AS (
    SELECT max(value) FILTER (WHERE name = 'currency') AS currency
    FROM ops.settings
),

visits AS (
    SELECT
        coalesce(channel, '(not known)') AS channel,
        count(*) AS sessions,
        count(DISTINCT customer_id) AS customers,
        count(*) FILTER (WHERE is_bounce) AS bounces,
        count(*) FILTER (WHERE is_converted) AS converted_sessions
    FROM core.sessions
    GROUP BY ALL
),

sales AS (
    SELECT
        coalesce(events.channel, '(not known)') AS channel,
        count(*) FILTER (WHERE events.is_conversion) AS conversions,
        sum(if(events.event = 'order_returned', -abs(events.value_minor), events.value_minor)) FILTER (
            WHERE coalesce(events.currency, report.currency) = report.currency
        )::BIGINT AS revenue_minor,
        count(*) FILTER (
            WHERE events.is_conversion
            AND events.value_minor IS NOT NULL
            AND coalesce(events.currency, report.currency) IS DISTINCT FROM report.currency
        ) AS conversions_in_other_currencies
    FROM core.events AS events
    CROSS JOIN report
    WHERE
        (events.is_conversion OR events.event = 'order_returned')
        AND events.is_counted
    GROUP BY ALL
)

SELECT
    coalesce(visits.channel, sales.channel) AS channel,
    coalesce(visits.sessions, 0) AS sessions,
    coalesce(visits.customers, 0) AS customers,
    coalesce(visits.bounces, 0) AS bounces,
    coalesce(visits.converted_sessions, 0) AS converted_sessions,
    rate(visits.converted_sessions, visits.sessions) AS conversion_rate,
    wilson_low(visits.converted_sessions, visits.sessions) AS conversion_rate_low,
    wilson_high(visits.converted_sessions, visits.sessions) AS conversion_rate_high,
    coalesce(sales.conversions, 0) AS conversions,
    coalesce(sales.revenue_minor, 0) AS revenue_minor,
    report.currency,
    coalesce(sales.conversions_in_other_currencies, 0) AS conversions_in_other_currencies
FROM visits
FULL JOIN sales
    ON visits.channel = sales.channel
CROSS JOIN report
ORDER BY
    sessions DESC,
    channel
