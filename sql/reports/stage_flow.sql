-- Customers by the number of their move between stages: whoever enters a stage with one move leaves it with the next.
SELECT
    move,
    from_stage,
    to_stage,
    customers,
    from_customers,
    customers / nullif(from_customers, 0) AS share
FROM mart.stage_flow
ORDER BY move, from_stage, to_stage
