-- Who entered a funnel on each day, and how many of them completed it.
-- Days do not add up: each counts its own best attempts.
SELECT
    entry_day,
    entrants,
    converted,
    converted / nullif(entrants, 0) AS share,
    is_mature
FROM mart.funnel_daily
WHERE funnel = getvariable('funnel')
ORDER BY entry_day
