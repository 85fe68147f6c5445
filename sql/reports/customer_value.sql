-- What a purchaser of each segment was worth so far, in minor units of the currency.
SELECT
    segment,
    currency,
    purchasers,
    orders,
    orders / nullif(purchasers, 0) AS orders_per_purchaser,
    revenue_minor,
    revenue_minor / nullif(purchasers, 0) AS value_per_purchaser_minor,
    revenue_minor / nullif(orders, 0) AS value_per_order_minor
FROM mart.customer_value
ORDER BY segment, currency
