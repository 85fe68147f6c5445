-- Who filled a cart and did not order? (For a follow-up list.)
SELECT
    customer_id,
    cart_number,
    filled_at,
    additions,
    reminded_at,
    clicked_at
FROM mart.abandoned_carts
WHERE
    status = 'abandoned'
    AND NOT is_later_customer
ORDER BY
    filled_at DESC,
    customer_id,
    cart_number
