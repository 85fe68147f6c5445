-- Finds subscriptions listed twice, or that ended without a time or go on with one. There should be none.
SELECT
    source,
    subscription_id,
    count(*) AS times,
    any_value(status) AS status,
    any_value(ended_at) AS ended_at
FROM mart.subscriptions
GROUP BY
    source,
    subscription_id
HAVING
    count(*) > 1
    OR bool_or((status IN ('cancelled', 'expired')) <> (ended_at IS NOT NULL))
