-- Events of each source with and without robots and the business's own traffic, and those without a stage.
SELECT
    source,
    events,
    robot_events,
    internal_events,
    counted_events,
    unmapped_events
FROM mart.data_quality
ORDER BY source
