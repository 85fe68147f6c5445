-- Finds carts whose times or states contradict each other. There should be none.
SELECT
    customer_id,
    cart_number,
    opened_at,
    filled_at,
    ordered_at,
    reminded_at,
    status
FROM mart.abandoned_carts
WHERE
    filled_at < opened_at
    OR (status IN ('ordered', 'recovered')) <> (ordered_at IS NOT NULL)
    OR reminded_at < filled_at
    OR clicked_at < filled_at
