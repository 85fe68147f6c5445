-- Those who have not completed a funnel, by the last step they did.
SELECT
    step_number,
    step_name,
    dropped,
    open,
    excluded
FROM mart.funnel_steps
WHERE funnel = getvariable('funnel')
ORDER BY step_number
