-- Finds segments with more purchasers or orders in a currency than all customers have. There should be none.
SELECT
    parts.segment,
    parts.currency,
    parts.purchasers,
    parts.orders
FROM mart.customer_value AS parts
LEFT JOIN mart.customer_value AS wholes
    ON
        parts.currency = wholes.currency
        AND wholes.segment = '(all)'
WHERE
    wholes.segment IS NULL
    OR parts.purchasers > wholes.purchasers
    OR parts.orders > wholes.orders
