-- Carts by what became of them, and by whether a reminder was sent and clicked; value in minor units of the currency.
SELECT
    status,
    is_final,
    reminded_at IS NOT NULL AS is_reminded,
    clicked_at IS NOT NULL AS is_clicked,
    currency,
    count(*) AS carts,
    count(DISTINCT customer_id) AS customers,
    sum(value_minor)::BIGINT AS value_minor
FROM mart.abandoned_carts
GROUP BY ALL
ORDER BY status, is_final, is_reminded, is_clicked, currency
