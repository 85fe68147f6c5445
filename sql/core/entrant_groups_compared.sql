-- The groups of a funnel's attempts in the days that are compared, a day more on either side for any time zone.
SELECT
    funnel,
    unit_id,
    entered_at,
    entry_source,
    entry_event_id,
    breakdown,
    value
FROM mart.funnel_entrant_groups
WHERE
    funnel = $funnel
    AND entered_at BETWEEN $first - INTERVAL 1 DAY AND $last + INTERVAL 2 DAY
