-- Who entered a funnel: one row for each attempt that the funnel counts, with what became of it. Customer ids are digests.
SELECT
    entrants.unit_id,
    entrants.customer_id,
    entrants.entered_at,
    entrants.status,
    entrants.depth AS steps_reached,
    definitions.step_name AS furthest_step,
    list_max(entrants.step_times) AS furthest_step_at,
    entrants.closes_at
FROM mart.funnel_entrants AS entrants
LEFT JOIN core.funnel_definitions AS definitions
    ON
        entrants.funnel = definitions.funnel
        AND entrants.depth = definitions.step_number
        AND definitions.step_order <> 'any'
WHERE
    entrants.funnel = getvariable('funnel')
    AND entrants.is_counted
ORDER BY
    entrants.entered_at,
    entrants.unit_id,
    entrants.entry_source,
    entrants.entry_event_id
