-- Which events and stages each source delivers; it decides on whose completeness a funnel depends.
--
-- Grain   source, event, stage
-- Reads   core.events

SELECT DISTINCT
    source,
    event,
    stage
FROM core.events
ORDER BY ALL
