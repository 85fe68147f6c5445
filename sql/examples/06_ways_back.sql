-- Where do customers go back in the journey, or skip a stage?
SELECT
    from_stage,
    to_stage,
    direction,
    moves,
    customers,
    median_seconds / 86400 AS median_days_in_the_stage_left
FROM mart.stage_transitions
WHERE direction IN ('back', 'skip')
ORDER BY
    moves DESC,
    from_stage,
    to_stage
