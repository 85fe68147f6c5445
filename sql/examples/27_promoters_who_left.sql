-- Who would recommend us but did not renew?
SELECT *
FROM mart.promoters_who_left
ORDER BY
    ended_at,
    customer_id
