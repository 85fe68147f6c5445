-- mart.sessions_daily: Sessions by the day on which they began, the channel they came by and the currency they brought in.
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
-- column revenue_minor: Sum of the conversions' value in minor units of `currency`; null without a single currency.

SELECT
    (
        started_at AT TIME ZONE coalesce((SELECT value FROM ops.settings WHERE name = 'time_zone'), 'UTC')
    )::DATE AS day,
    coalesce(channel, '(not known)') AS channel,
    currency,
    count(*) AS sessions,
    count(DISTINCT customer_id) AS customers,
    count(*) FILTER (WHERE session_number = 1) AS new_customers,
    count(*) FILTER (WHERE is_bounce) AS bounces,
    count(*) FILTER (WHERE is_converted) AS converted_sessions,
    sum(revenue_minor)::BIGINT AS revenue_minor
FROM core.sessions
GROUP BY ALL
ORDER BY
    day,
    channel,
    currency
