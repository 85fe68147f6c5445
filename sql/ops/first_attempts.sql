-- What the report site reads of attempts: each unit's first.
--
-- Grain   funnel, unit
-- Reads   mart.funnel_entrants

SELECT
    funnel,
    entered_at,
    entry_day,
    step_times,
    status,
    closes_at,
    is_first
FROM mart.funnel_entrants
WHERE is_first
