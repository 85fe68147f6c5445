-- What each step contributed to the change of a funnel's total rate between its last two matured periods.
SELECT
    step_number,
    step_name,
    before_from,
    before_to,
    after_from,
    after_to,
    reached_before,
    entered_before,
    reached_after,
    entered_after,
    part,
    total_change
FROM mart.funnel_change_steps
WHERE funnel = getvariable('funnel')
ORDER BY step_number
