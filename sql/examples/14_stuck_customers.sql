-- Who has been in a stage longer than nine in ten of those who left it?
WITH stays AS (
    SELECT
        stage,
        quantile_disc(epoch(left_at) - epoch(entered_at), 0.9) AS usual_seconds
    FROM core.stage_entries
    WHERE left_at IS NOT NULL
    GROUP BY stage
)

SELECT
    entries.customer_id,
    entries.stage,
    entries.entered_at,
    stays.usual_seconds / 86400 AS usual_days
FROM core.stage_entries AS entries
INNER JOIN stays
    ON entries.stage = stays.stage
WHERE
    entries.left_at IS NULL
    AND epoch((SELECT max(occurred_at) FROM core.events)) - epoch(entries.entered_at) > stays.usual_seconds
ORDER BY
    entries.entered_at,
    entries.customer_id
LIMIT 100
