-- The stages that a customer entered, in order of time.
SELECT
    entry_number,
    stage,
    phase,
    entered_at,
    left_at,
    from_stage,
    direction,
    touchpoint,
    channel,
    event,
    source,
    event_id
FROM core.stage_entries
WHERE customer_id = $customer
ORDER BY entry_number
