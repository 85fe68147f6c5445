-- Where do customers go from each stage, and who goes nowhere?
SELECT
    move,
    from_stage,
    to_stage,
    customers,
    from_customers,
    round(100 * share, 1) AS percent
FROM mart.stage_flow
ORDER BY
    move,
    from_stage,
    customers DESC,
    to_stage
