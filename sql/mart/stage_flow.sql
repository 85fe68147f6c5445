-- mart.stage_flow: How customers move from stage to stage, move by move, so that whoever comes in also goes out.
--
-- Grain   move, from_stage, to_stage
-- Reads   core.stage_entries
-- Note    whoever enters a stage with move n leaves it with move n + 1: to another stage, to '(exit)' when there was no
--         other so far, or to '(other)' when it would be the ninth move; those two are ends
--
-- column move: Number of the move within the customer's journey, from 1.
-- column from_stage: The stage left; '(start)' for the first move.
-- column to_stage: The stage entered; '(exit)' where the customer still is in from_stage, '(other)' for the ninth move.
-- column customers: Customers who moved so.
-- column from_customers: Customers who had entered from_stage by the move before (everybody at the first move).
-- column share: customers / from_customers.

WITH moves AS (
    SELECT
        entry_number AS move,
        coalesce(from_stage, '(start)') AS from_stage,
        if(entry_number > 8, '(other)', stage) AS to_stage
    FROM core.stage_entries
    WHERE entry_number <= 9
    UNION ALL
    SELECT
        entry_number + 1 AS move,
        stage AS from_stage,
        '(exit)' AS to_stage
    FROM core.stage_entries
    WHERE
        left_at IS NULL
        AND entry_number <= 8
),

counted AS (
    SELECT
        move,
        from_stage,
        to_stage,
        count(*) AS customers
    FROM moves
    GROUP BY ALL
)

SELECT
    move,
    from_stage,
    to_stage,
    customers,
    (sum(customers) OVER whole)::BIGINT AS from_customers,
    rate(customers, sum(customers) OVER whole) AS share
FROM counted
WINDOW whole AS (PARTITION BY move, from_stage)
ORDER BY
    move,
    from_stage,
    to_stage
