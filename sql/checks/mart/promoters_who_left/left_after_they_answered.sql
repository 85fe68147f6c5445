-- Finds promoters listed twice, or who had left before they answered. There should be none.
SELECT
    customer_id,
    min(answered_at) AS answered_at,
    min(ended_at) AS ended_at
FROM mart.promoters_who_left
GROUP BY customer_id
HAVING
    count(*) > 1
    OR min(ended_at) < min(answered_at)
