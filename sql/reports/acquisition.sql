-- Customers by where they first came from: how many bought, and what a customer and a purchaser cost.
SELECT
    source,
    medium,
    channels,
    purchasers,
    customers,
    purchasers / nullif(customers, 0) AS purchaser_rate,
    currency,
    cost_minor,
    clicks,
    cost_per_customer_minor,
    cost_per_purchaser_minor
FROM mart.acquisition
ORDER BY customers DESC, source, medium, currency
