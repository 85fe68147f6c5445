-- How many customers come through referrals, and whose?
SELECT
    customer_id,
    count(*) AS referrals,
    count(*) FILTER (WHERE is_accepted) AS accepted,
    count(referred_customer_id) AS seen,
    count(*) FILTER (WHERE referred_purchases > 0) AS became_customers
FROM mart.referrals
GROUP BY customer_id
ORDER BY
    referrals DESC,
    customer_id
