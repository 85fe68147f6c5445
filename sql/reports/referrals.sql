-- Referrals by how they were made, and what became of them.
SELECT
    coalesce(way, '(not given)') AS way,
    count(*) AS referrals,
    count(DISTINCT customer_id) AS referrers,
    count(*) FILTER (WHERE is_accepted) AS accepted,
    count(is_accepted) AS answered,
    count(referred_customer_id) AS seen,
    count(*) FILTER (WHERE referred_purchases > 0) AS purchased
FROM mart.referrals
GROUP BY ALL
ORDER BY referrals DESC, way
