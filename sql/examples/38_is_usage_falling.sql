-- Which accounts use a feature less than half as much as in the 30 weeks before?
SELECT
    week,
    account_id,
    feature,
    uses,
    users,
    mean_uses_before
FROM mart.feature_use
WHERE uses < mean_uses_before / 2
ORDER BY
    week DESC,
    account_id,
    feature
