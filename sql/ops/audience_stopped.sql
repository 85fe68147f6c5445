-- Customers whose best attempt at a funnel went no further than a step and cannot any more.
SELECT
    customer_id,
    step_times[$step] AS entered_at
FROM mart.funnel_entrants
WHERE
    funnel = $of
    AND is_best
    AND status = 'dropped'
    AND depth = $step
