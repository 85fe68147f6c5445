-- How many of each group reach each step of a funnel.
SELECT
    value,
    step_number,
    reached
FROM mart.funnel_breakdown
WHERE funnel = getvariable('funnel') AND breakdown = getvariable('breakdown')
ORDER BY value, step_number
