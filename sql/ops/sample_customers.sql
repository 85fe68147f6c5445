-- Some customers drawn by a seed: the same seed draws the same of the same customers.
SELECT
    customer_id,
    is_identified,
    is_lead,
    account_id,
    first_seen_at,
    last_seen_at,
    event_count,
    purchase_count,
    current_stage,
    furthest_stage
FROM core.customers
WHERE event_count > 0
ORDER BY
    sha256($seed::VARCHAR || ' ' || customer_id),
    customer_id
LIMIT $number
