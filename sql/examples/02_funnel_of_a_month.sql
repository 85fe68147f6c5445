-- What did every funnel look like for the entries of the month before its newest day?
WITH newest AS (
    SELECT
        funnel,
        max(entry_day) AS day
    FROM mart.funnel_entrants
    GROUP BY funnel
)

SELECT
    newest.funnel,
    answer.*
FROM newest
CROSS JOIN LATERAL funnel(newest.funnel, (newest.day - INTERVAL 1 MONTH)::DATE, newest.day) AS answer
ORDER BY
    newest.funnel,
    answer.step_number
