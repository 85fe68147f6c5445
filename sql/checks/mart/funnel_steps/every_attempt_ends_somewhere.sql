-- Finds funnels whose converted, open, excluded and dropped attempts are not all that entered. There should be none.
WITH endings AS (
    SELECT
        funnel,
        any_value(first_reached) AS entered,
        sum(dropped + open + excluded) AS unfinished
    FROM mart.funnel_steps
    GROUP BY funnel
),

conversions AS (
    SELECT
        funnel,
        count(*) FILTER (WHERE status = 'converted') AS converted
    FROM mart.funnel_entrants
    WHERE is_counted
    GROUP BY funnel
)

SELECT
    endings.funnel,
    endings.entered,
    endings.unfinished,
    conversions.converted
FROM endings
INNER JOIN conversions
    ON endings.funnel = conversions.funnel
WHERE endings.entered <> endings.unfinished + conversions.converted
