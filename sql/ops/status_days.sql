-- The books of each source and day of landing.
SELECT
    source,
    landed_on,
    count(*)                 AS files,
    sum(rows_in)::BIGINT     AS rows_in,
    sum(loaded)::BIGINT      AS loaded,
    sum(duplicate)::BIGINT   AS duplicate,
    sum(conflict)::BIGINT    AS conflict,
    sum(superseded)::BIGINT  AS superseded,
    sum(quarantined)::BIGINT AS quarantined,
    sum(suppressed)::BIGINT  AS suppressed,
    sum(blank)::BIGINT       AS blank
FROM ops.balances
GROUP BY source, landed_on
ORDER BY source, landed_on
