-- The figures that people quote, of everything up to an instant.
--
-- Grain   figure, subject
-- Reads   core.events, core.sessions, core.stage_entries, core.funnel_definitions, mart.funnel_entrants

WITH counted AS (
    FROM core.events
    WHERE is_counted AND occurred_at <= $horizon
)

SELECT 'customers' AS figure, '' AS subject, count(DISTINCT customer_id)::BIGINT AS value
FROM counted
UNION ALL
SELECT 'events', '', count(*)
FROM counted
UNION ALL
SELECT 'sessions', '', count(*)
FROM core.sessions
WHERE started_at <= $horizon
UNION ALL
SELECT 'conversions', event, count(*)
FROM counted
WHERE is_conversion
GROUP BY event
UNION ALL
SELECT 'value', currency || ', minor units', sum(value_minor)::BIGINT
FROM counted
WHERE is_conversion AND value_minor IS NOT NULL AND currency IS NOT NULL
GROUP BY currency
UNION ALL
SELECT 'stage', stage, count(DISTINCT customer_id)
FROM core.stage_entries
WHERE entered_at <= $horizon
GROUP BY stage
UNION ALL
SELECT 'funnel', definitions.funnel || ', ' || definitions.step_number || ' ' || definitions.step_name, count(entrants.unit_id)
FROM core.funnel_definitions AS definitions
LEFT JOIN mart.funnel_entrants AS entrants
    ON definitions.funnel = entrants.funnel
    AND entrants.is_best
    AND entrants.depth >= definitions.step_number
GROUP BY ALL
ORDER BY figure, subject
