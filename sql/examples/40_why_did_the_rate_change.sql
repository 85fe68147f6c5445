-- Did our change improve the funnel against the four weeks before, and at which step?
SELECT
    funnel,
    step_number,
    step_name,
    before_from,
    after_from,
    after_to,
    reached_before,
    reached_after,
    round(100 * part, 2) AS points_of_the_step,
    round(100 * total_change, 2) AS points_in_all
FROM mart.funnel_change_steps
ORDER BY
    funnel,
    step_number
