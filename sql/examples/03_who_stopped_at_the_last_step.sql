-- Who got within one step of the end, and when? The list is as long as the bar.
WITH ends AS (
    SELECT
        funnel,
        max(step_number) AS last_step
    FROM core.funnel_definitions
    WHERE NOT is_optional
    GROUP BY funnel
)

SELECT
    entrants.funnel,
    entrants.customer_id,
    entrants.entered_at,
    entrants.step_times[entrants.depth] AS stopped_at,
    entrants.status
FROM mart.funnel_entrants AS entrants
INNER JOIN ends
    ON entrants.funnel = ends.funnel
WHERE
    entrants.is_counted
    AND entrants.depth = ends.last_step - 1
    AND entrants.status <> 'converted'
ORDER BY
    entrants.funnel,
    stopped_at DESC,
    entrants.customer_id
