-- Finds a number of customers on stage paths that is not that of core.stage_entries. There should be none.
SELECT
    (SELECT count(DISTINCT customer_id) FROM core.stage_entries) AS customers,
    (SELECT coalesce(sum(journeys), 0)::BIGINT FROM mart.journey_paths WHERE kind = 'stage') AS on_paths
WHERE customers <> on_paths
