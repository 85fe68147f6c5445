-- Finds attempts that are twice in one group of a breakdown. There should be none.
SELECT
    funnel,
    unit_id,
    entered_at,
    entry_source,
    entry_event_id,
    breakdown,
    value,
    count(*) AS times
FROM mart.funnel_entrant_groups
GROUP BY ALL
HAVING count(*) > 1
