-- mart.ad_spend: Money spent on advertising by day, channel and campaign, with what was shown and clicked.
--
-- Grain   day, source_name, channel, source, medium, campaign, currency
-- Reads   raw.ad_spend, ops.settings
-- Note    the figures of a day are those of its newest export; money of different currencies is never added
--
-- column day: Day on which it was spent, in the report time zone.
-- column source_name: The source in journey.yaml that tells of it.
-- column channel: The channel, as the source or its reports name it; '(not known)' for none.
-- column source: Traffic source, as the visits it pays for carry it; null where not known.
-- column medium: Traffic medium; null where not known.
-- column campaign: Campaign; null where not known.
-- column currency: Currency of cost_minor.
-- column cost_minor: Money spent in minor units of `currency`.
-- column impressions: How often the ads were shown; null where no row says it.
-- column clicks: Clicks on them; null where no row says it.
-- column conversions: Conversions as the advertising network counts them; null where no row says it.

WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
)

SELECT
    (spend.occurred_at AT TIME ZONE report.time_zone)::DATE AS day,
    spend.source AS source_name,
    coalesce(spend.given_channel, '(not known)') AS channel,
    spend.utm_source AS source,
    spend.utm_medium AS medium,
    spend.utm_campaign AS campaign,
    spend.currency,
    sum(spend.value_minor)::BIGINT AS cost_minor,
    sum(try_cast(spend.properties ->> '$.impressions' AS BIGINT))::BIGINT AS impressions,
    sum(try_cast(spend.properties ->> '$.clicks' AS BIGINT))::BIGINT AS clicks,
    sum(try_cast(spend.properties ->> '$.conversions' AS DECIMAL(18, 4)))::DOUBLE AS conversions
FROM raw.ad_spend AS spend
CROSS JOIN report
GROUP BY ALL
ORDER BY
    day,
    source_name,
    channel,
    source,
    medium,
    campaign,
    currency
