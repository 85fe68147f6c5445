-- Credit by model and channel, in conversions (millionths) and value.
--
-- Grain   model, channel, currency
-- Reads   mart.attribution

SELECT
    model,
    channel,
    currency,
    sum(credit_ppm)::BIGINT                                    AS conversions_ppm,
    count(DISTINCT (conversion_source, conversion_event_id))   AS conversions,
    sum(value_minor * credit_ppm // 1000000)::BIGINT           AS value_minor
FROM mart.attribution
GROUP BY ALL
ORDER BY ALL
