-- Finds attempts of funnels in order whose steps go back in time, or begin before the entry. There should be none.
WITH steps AS (
    SELECT
        funnel,
        unit_id,
        entered_at,
        entry_source,
        entry_event_id,
        unnest(step_times) AS reached_at,
        generate_subscripts(step_times, 1) AS step_number
    FROM mart.funnel_entrants
    WHERE funnel IN (
        SELECT funnel
        FROM core.funnel_definitions
        WHERE step_order <> 'any'
    )
)

SELECT
    funnel,
    unit_id,
    entered_at,
    step_number,
    reached_at
FROM steps
WHERE reached_at IS NOT NULL
QUALIFY
    reached_at < coalesce(
        lag(reached_at) OVER (
            PARTITION BY
                funnel,
                unit_id,
                entered_at,
                entry_source,
                entry_event_id
            ORDER BY step_number
        ),
        entered_at
    )
