-- Moves between stages, from '(start)' to '(still there)'.
SELECT
    from_stage,
    to_stage,
    direction,
    moves,
    customers,
    median_seconds
FROM mart.stage_transitions
ORDER BY from_stage, to_stage, direction
