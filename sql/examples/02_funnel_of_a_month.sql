-- What did every funnel look like for the entries of the month before the newest day?
WITH newest AS (
    SELECT
        funnel,
        max(entry_day) AS day
    FROM mart.funnel_entrants
    GROUP BY funnel
    ORDER BY
        day DESC,
        funnel
    LIMIT 1
)

SELECT *
FROM funnel(
    (SELECT funnel FROM newest),
    (SELECT (day - INTERVAL 1 MONTH)::DATE FROM newest),
    (SELECT day FROM newest)
)
