-- Rows of each file by what became of them; they add up to its rows.
SELECT
    path,
    source,
    landed_on,
    rows_in,
    loaded,
    duplicate,
    conflict,
    superseded,
    quarantined,
    suppressed,
    blank
FROM ops.balances
ORDER BY quarantined DESC, landed_on DESC, path
