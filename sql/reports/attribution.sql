-- Conversions that each model credits to each channel.
SELECT
    channel,
    model,
    sum(credit_ppm) / 1000000 AS conversions
FROM mart.attribution
GROUP BY ALL
ORDER BY channel, model
