-- Warns of referrals by which customers referred themselves.
SELECT
    source,
    event_id,
    customer_id
FROM mart.referrals
WHERE customer_id = referred_customer_id
