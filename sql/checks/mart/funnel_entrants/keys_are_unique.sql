-- Finds attempts that are listed twice. There should be none.
SELECT
    funnel,
    unit_id,
    entered_at,
    entry_source,
    entry_event_id,
    count(*) AS times
FROM mart.funnel_entrants
GROUP BY ALL
HAVING count(*) > 1
