-- Money spent on advertising by channel, with what was shown and clicked.
SELECT
    channel,
    currency,
    min(day) AS first_day,
    max(day) AS last_day,
    sum(cost_minor)::BIGINT AS cost_minor,
    sum(impressions)::BIGINT AS impressions,
    sum(clicks)::BIGINT AS clicks,
    sum(cost_minor) / nullif(sum(clicks), 0) AS cost_per_click_minor
FROM mart.ad_spend
GROUP BY ALL
ORDER BY channel, currency
