-- Promoters whose subscription ended after they had answered, by plan and by the reason given.
SELECT
    plan,
    event,
    cancel_reason,
    count(*) AS customers
FROM mart.promoters_who_left
GROUP BY ALL
ORDER BY customers DESC, plan, event, cancel_reason
