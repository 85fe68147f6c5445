-- Where do customers who buy come from, and what does one cost?
SELECT
    source,
    medium,
    customers,
    purchasers,
    round(100 * purchaser_rate, 1) AS purchaser_percent,
    cost_minor,
    currency,
    round(cost_per_customer_minor)::BIGINT AS cost_per_customer_minor,
    round(cost_per_purchaser_minor)::BIGINT AS cost_per_purchaser_minor
FROM mart.acquisition
ORDER BY
    customers DESC,
    source,
    medium,
    currency
