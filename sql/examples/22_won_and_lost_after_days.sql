-- What share of deals is won, and what share lost, within 30, 60, 90 and 180 days?
WITH days (day) AS (
    VALUES (30), (60), (90), (180)
)

SELECT
    curve.object,
    days.day,
    curve.outcome,
    any_value(curve.records) AS records,
    max(curve.happened) AS happened,
    max(curve.share) AS share
FROM days
INNER JOIN mart.competing_outcomes AS curve
    ON days.day >= curve.day
GROUP BY ALL
ORDER BY
    curve.object,
    days.day,
    curve.outcome
