-- Which subscriptions are about to expire or at risk, and why?
SELECT
    subscription_id,
    customer_id,
    plan,
    status,
    renewals,
    expires_at,
    risks
FROM mart.subscriptions
WHERE risks <> ''
ORDER BY
    is_expiring DESC,
    expires_at,
    subscription_id
