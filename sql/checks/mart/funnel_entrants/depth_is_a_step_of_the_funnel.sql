-- Finds attempts whose depth is no step of their funnel. There should be none.
SELECT
    entrants.funnel,
    entrants.unit_id,
    entrants.entered_at,
    entrants.depth
FROM mart.funnel_entrants AS entrants
LEFT JOIN core.funnel_definitions AS steps
    ON
        entrants.funnel = steps.funnel
        AND entrants.depth = steps.step_number
WHERE steps.step_number IS NULL
