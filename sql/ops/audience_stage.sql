-- Customers at their first entry into a stage.
SELECT
    customer_id,
    entered_at
FROM core.stage_entries
WHERE
    stage = $of
    AND is_first
