-- The first attempts of each unit of a funnel and day of entry in the days that are compared, with what change tables read of them.
SELECT
    funnel,
    unit_id,
    entered_at,
    entry_source,
    entry_event_id,
    entry_day,
    depth,
    is_first_of_day
FROM mart.funnel_entrants
WHERE
    funnel = $funnel
    AND is_first_of_day
    AND entry_day BETWEEN $first AND $last
