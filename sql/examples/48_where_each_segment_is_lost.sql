-- Where does each segment meet trouble more often than everybody?
SELECT
    own.segment,
    own.touchpoint,
    own.affected,
    own.customers,
    round(100 * rate(own.affected, own.customers), 1) AS affected_percent,
    round(100 * rate(everybody.affected, everybody.customers), 1) AS of_everybody_percent
FROM mart.segment_touchpoints AS own
INNER JOIN mart.segment_touchpoints AS everybody
    ON
        everybody.segment = '(everybody)'
        AND own.stage = everybody.stage
        AND own.phase IS NOT DISTINCT FROM everybody.phase
        AND own.touchpoint = everybody.touchpoint
WHERE
    own.segment <> '(everybody)'
    AND own.customers >= 20
ORDER BY
    affected_percent - of_everybody_percent DESC,
    own.segment,
    own.touchpoint
LIMIT 20
