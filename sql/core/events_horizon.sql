-- The instant up to which some events are complete, as of the night that was published: the least over the sources that
-- deliver one of those named, and over all that are part of the journey when any event counts.
SELECT min(horizons.horizon) AS horizon
FROM mart.horizons AS horizons
WHERE
    ($is_any AND horizons.is_in_journey)
    OR horizons.source IN (SELECT source FROM core.events WHERE list_contains($events, event))
