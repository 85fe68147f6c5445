-- What does a conversion of each campaign cost, by the last touch that was not direct?
WITH spent AS (
    SELECT
        lower(campaign) AS campaign,
        currency,
        sum(cost_minor)::BIGINT AS cost_minor,
        sum(clicks)::BIGINT AS clicks
    FROM mart.ad_spend
    WHERE campaign IS NOT NULL
    GROUP BY ALL
),

earned AS (
    SELECT
        lower(utm_campaign) AS campaign,
        sum(credit_ppm) / 1000000 AS conversions
    FROM mart.attribution
    WHERE
        model = 'last_non_direct'
        AND utm_campaign IS NOT NULL
    GROUP BY ALL
)

SELECT
    spent.campaign,
    spent.currency,
    spent.cost_minor,
    spent.clicks,
    round(coalesce(earned.conversions, 0), 2) AS conversions,
    round(spent.cost_minor / earned.conversions)::BIGINT AS cost_per_conversion_minor
FROM spent
LEFT JOIN earned
    ON spent.campaign = earned.campaign
ORDER BY
    spent.cost_minor DESC,
    spent.campaign,
    spent.currency
