-- Finds stages that more or fewer customers leave with a move than entered with the move before. There should be none.
WITH entered AS (
    SELECT
        move + 1 AS move,
        to_stage AS stage,
        sum(customers) AS customers
    FROM mart.stage_flow
    WHERE to_stage NOT IN ('(exit)', '(other)')
    GROUP BY ALL
),

gone AS (
    SELECT
        move,
        from_stage AS stage,
        sum(customers) AS customers
    FROM mart.stage_flow
    WHERE from_stage <> '(start)'
    GROUP BY ALL
)

SELECT
    coalesce(entered.move, gone.move) AS move,
    coalesce(entered.stage, gone.stage) AS stage,
    entered.customers AS customers_in,
    gone.customers AS customers_out
FROM entered
FULL JOIN gone
    ON
        entered.move = gone.move
        AND entered.stage = gone.stage
WHERE entered.customers IS DISTINCT FROM gone.customers
