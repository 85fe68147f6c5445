-- Rows of each source by what became of them.
SELECT
    source,
    count(*) AS files,
    sum(rows_in) AS rows_in,
    sum(loaded) AS loaded,
    sum(duplicate) AS duplicate,
    sum(conflict) AS conflict,
    sum(superseded) AS superseded,
    sum(quarantined) AS quarantined,
    sum(suppressed) AS suppressed,
    sum(blank) AS blank
FROM ops.balances
GROUP BY ALL
ORDER BY source
