-- First attempts by funnel, group (no breakdown: everybody) and month of entry: how many did each step, and how many still have time at it.
-- Within a group the first attempt is that of the group; with steps in any order, a step is reached by so many steps done.
WITH attempts AS (
    SELECT
        funnel,
        breakdown,
        value,
        date_trunc('month', entry_day)::DATE AS month,
        list_transform(step_times, lambda done_at: done_at IS NOT NULL) AS did,
        if(status = 'open', depth, 0) AS open_at,
        count(*) AS attempts
    FROM (
        SELECT
            funnel,
            breakdown,
            value,
            entry_day,
            step_times,
            status,
            depth
        FROM mart.funnel_entrant_groups
        WHERE is_first
        UNION ALL BY NAME
        SELECT
            funnel,
            entry_day,
            step_times,
            status,
            depth
        FROM mart.funnel_entrants
        WHERE is_first
    )
    GROUP BY ALL
)

SELECT
    attempts.funnel,
    attempts.breakdown,
    attempts.value,
    attempts.month,
    steps.step_number,
    sum(attempts.attempts)::BIGINT AS entered,
    coalesce(
        sum(attempts.attempts) FILTER (
            WHERE if(steps.step_order = 'any', list_reverse_sort(attempts.did), attempts.did)[steps.step_number]
        ),
        0
    )::BIGINT AS reached,
    coalesce(sum(attempts.attempts) FILTER (WHERE attempts.open_at = steps.step_number), 0)::BIGINT AS still_open
FROM attempts
INNER JOIN core.funnel_definitions AS steps
    ON attempts.funnel = steps.funnel
GROUP BY ALL
ORDER BY
    attempts.funnel,
    attempts.breakdown NULLS FIRST,
    attempts.value,
    attempts.month,
    steps.step_number
