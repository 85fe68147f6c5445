-- Finds deals and leads whose last shares of won and lost exceed one, or whose counts do not add up. There should be none.
WITH ends AS (
    SELECT
        object,
        outcome,
        max(share) AS share,
        max(happened) AS happened,
        any_value(records) AS records,
        any_value(open) AS still_open
    FROM mart.competing_outcomes
    GROUP BY ALL
)

SELECT
    object,
    sum(share) AS share,
    sum(happened)::BIGINT AS happened
FROM ends
GROUP BY object
HAVING
    sum(share) > 1.00001
    OR sum(happened) + any_value(still_open) <> any_value(records)
