-- What a run leaves behind, counted.
SELECT
    (SELECT count(*) FROM core.events)                      AS events,
    (SELECT count(*) FROM core.customers)                   AS customers,
    (SELECT coalesce(sum(rows_in), 0)::BIGINT FROM ops.balances)     AS rows_in,
    (SELECT coalesce(sum(loaded), 0)::BIGINT FROM ops.balances)      AS loaded,
    (SELECT coalesce(sum(quarantined), 0)::BIGINT FROM ops.balances) AS quarantined
