-- Which channels produce sales, by each way of sharing the credit?
SELECT
    model,
    channel,
    round(sum(credit_ppm) / 1000000, 2) AS conversions,
    currency,
    (sum(credit_ppm::HUGEINT * value_minor) // 1000000)::BIGINT AS revenue_minor
FROM mart.attribution
GROUP BY
    model,
    channel,
    currency
ORDER BY
    model,
    conversions DESC,
    channel,
    currency
