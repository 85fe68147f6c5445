-- Finds a number of uses by account and week that is not that of core.events. There should be none.
SELECT
    (SELECT coalesce(sum(uses), 0)::BIGINT FROM mart.feature_use) AS uses,
    (SELECT count(*) FROM core.events WHERE event IN ('feature_used', 'login') AND is_counted) AS events
WHERE uses <> events
