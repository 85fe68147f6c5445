-- The books and the freshness of each source.
WITH newest AS (
    SELECT
        source,
        max(occurred_at) AS newest_event_at
    FROM core.events
    GROUP BY source
)

SELECT
    balances.source,
    count(*)                      AS files,
    sum(rows_in)::BIGINT          AS rows_in,
    sum(loaded)::BIGINT           AS loaded,
    sum(duplicate)::BIGINT        AS duplicate,
    sum(conflict)::BIGINT         AS conflict,
    sum(superseded)::BIGINT       AS superseded,
    sum(quarantined)::BIGINT      AS quarantined,
    sum(suppressed)::BIGINT       AS suppressed,
    sum(blank)::BIGINT            AS blank,
    any_value(newest_event_at)    AS newest_event_at
FROM ops.balances AS balances
LEFT JOIN newest ON newest.source = balances.source
GROUP BY balances.source
ORDER BY balances.source
