-- The books of all files together.
SELECT
    count(*)                                                             AS files,
    coalesce(sum(rows_in), 0)::BIGINT                                    AS rows_in,
    coalesce(sum(loaded), 0)::BIGINT                                     AS loaded,
    coalesce(sum(duplicate), 0)::BIGINT                                  AS duplicate,
    coalesce(sum(quarantined), 0)::BIGINT                                AS quarantined,
    coalesce(sum(rows_in - loaded - duplicate - quarantined), 0)::BIGINT AS other
FROM ops.balances
