-- Of those who reach each step of a funnel, how many have a known value of what it is broken down by.
SELECT
    groups.funnel,
    groups.breakdown,
    groups.step_number,
    steps.step_name,
    coalesce(sum(groups.reached) FILTER (WHERE groups.value <> '(not known)'), 0)::BIGINT AS known,
    sum(groups.reached)::BIGINT AS reached
FROM mart.funnel_breakdown AS groups
INNER JOIN core.funnel_definitions AS steps
    ON
        groups.funnel = steps.funnel
        AND groups.step_number = steps.step_number
GROUP BY ALL
ORDER BY groups.funnel, groups.breakdown, groups.step_number
