-- Features by how many accounts and how often they were used, in the newest week with any use and in the one before.
WITH newest AS (
    SELECT max(week) AS week
    FROM mart.feature_use
)

SELECT
    used.feature,
    newest.week,
    count(DISTINCT used.account_id) FILTER (WHERE used.week = newest.week) AS accounts,
    coalesce(sum(used.uses) FILTER (WHERE used.week = newest.week), 0)::BIGINT AS uses,
    coalesce(sum(used.uses) FILTER (WHERE used.week = newest.week - INTERVAL 7 DAY), 0)::BIGINT AS uses_before,
    sum(used.uses)::BIGINT AS uses_ever
FROM mart.feature_use AS used
CROSS JOIN newest
GROUP BY ALL
ORDER BY uses DESC, used.feature
