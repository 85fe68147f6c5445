-- Which customer segments are most valuable, and how often do they buy?
SELECT
    segment,
    currency,
    purchasers,
    orders,
    round(orders_per_purchaser, 2) AS orders_per_purchaser,
    revenue_minor,
    round(value_per_purchaser_minor)::BIGINT AS value_per_purchaser_minor
FROM mart.customer_value
ORDER BY
    currency,
    value_per_purchaser_minor DESC,
    segment
