-- Finds stages entered more or less often than they were left or are still held. There should be none.
WITH entered AS (
    SELECT
        to_stage AS stage,
        sum(moves) AS moves
    FROM mart.stage_transitions
    WHERE to_stage <> '(still there)'
    GROUP BY to_stage
),

left_or_held AS (
    SELECT
        from_stage AS stage,
        sum(moves) AS moves
    FROM mart.stage_transitions
    WHERE from_stage <> '(start)'
    GROUP BY from_stage
)

SELECT
    coalesce(entered.stage, left_or_held.stage) AS stage,
    entered.moves AS times_entered,
    left_or_held.moves AS times_left_or_held
FROM entered
FULL JOIN left_or_held
    ON entered.stage = left_or_held.stage
WHERE entered.moves IS DISTINCT FROM left_or_held.moves
