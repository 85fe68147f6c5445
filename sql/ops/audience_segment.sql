-- Who is in a segment.
SELECT
    customer_id,
    NULL::TIMESTAMPTZ AS entered_at
FROM core.customer_segments
WHERE segment = $of
