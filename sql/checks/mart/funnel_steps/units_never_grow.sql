-- Finds steps that more units reach than the mandatory step before. There should be none.
SELECT
    funnel,
    step_number,
    reached,
    reached_before
FROM mart.funnel_steps
WHERE reached > reached_before
