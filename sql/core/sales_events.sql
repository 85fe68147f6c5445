-- The dated states of deals and leads, robots and internal traffic aside.
SELECT *
FROM core.events
WHERE
    object IN ('deal', 'lead')
    AND record_id IS NOT NULL
    AND is_counted
