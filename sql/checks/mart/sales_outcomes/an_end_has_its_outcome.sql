-- Finds deals and leads that ended before they began, or have an end without an outcome or the reverse. There should be none.
SELECT
    object,
    record_id,
    started_at,
    ended_at,
    outcome
FROM mart.sales_outcomes
WHERE
    ended_at < started_at
    OR (ended_at IS NULL) <> (outcome = 'open')
    OR (lost_reason IS NOT NULL) <> (outcome = 'lost')
