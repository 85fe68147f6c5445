-- Subscriptions by plan and by how they stand.
SELECT
    coalesce(plan, '(not known)') AS plan,
    count(*) AS subscriptions,
    count(*) FILTER (WHERE status = 'trial') AS trial,
    count(*) FILTER (WHERE status = 'active') AS active,
    count(*) FILTER (WHERE status = 'paused') AS paused,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
    count(*) FILTER (WHERE status = 'expired') AS expired,
    count(*) FILTER (WHERE risks != '') AS at_risk,
    sum(renewals)::BIGINT AS renewals
FROM mart.subscriptions
GROUP BY ALL
ORDER BY subscriptions DESC, plan
