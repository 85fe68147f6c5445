-- mart.sessions_daily: Sessions by the day on which they began, the channel they came by and the currency of revenue.
--
-- Grain   day, channel, currency
-- Reads   core.sessions, ops.settings
-- Note    each session is in one row, so sessions, bounces and conversions add up over rows; customers do not;
--         money of different currencies is never added
--
-- column day: Day in the report time zone on which the session began.
-- column channel: Channel of the session; '(not known)' for none.
-- column currency: Currency of the session's revenue; null for sessions without any, 'mixed' for several currencies.
-- column sessions: Sessions.
-- column customers: Distinct customers in them.
-- column new_customers: Sessions that were their customer's first.
-- column bounces: Sessions of exactly one active event.
-- column converted_sessions: Sessions that hold a conversion.
-- column revenue_minor: Sum of the conversions' value in minor units of `currency`, less returns; null without a single currency.

WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
)

SELECT
    (sessions.started_at AT TIME ZONE report.time_zone)::DATE AS day,
    coalesce(sessions.channel, '(not known)') AS channel,
    sessions.currency,
    count(*) AS sessions,
    count(DISTINCT customer_id) AS customers,
    count(*) FILTER (WHERE session_number = 1) AS new_customers,
    count(*) FILTER (WHERE is_bounce) AS bounces,
    count(*) FILTER (WHERE is_converted) AS converted_sessions,
    sum(revenue_minor)::BIGINT AS revenue_minor
FROM core.sessions AS sessions
CROSS JOIN report
GROUP BY ALL
ORDER BY
    day,
    channel,
    currency
