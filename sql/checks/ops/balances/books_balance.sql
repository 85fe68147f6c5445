-- Finds files whose rows do not each have one outcome. There should be none.
SELECT
    file_id,
    path,
    rows_in,
    loaded + duplicate + conflict + superseded + quarantined + suppressed + blank AS outcomes
FROM ops.balances
WHERE rows_in IS DISTINCT FROM loaded + duplicate + conflict + superseded + quarantined + suppressed + blank
