-- Finds conversions whose credit by a model is not one million in all. There should be none.
SELECT
    customer_id,
    conversion_source,
    conversion_event_id,
    model,
    sum(credit_ppm) AS credit_ppm
FROM mart.attribution
GROUP BY
    customer_id,
    conversion_source,
    conversion_event_id,
    model
HAVING sum(credit_ppm) <> 1000000
