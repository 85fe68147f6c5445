-- The newest instant seen of each source, to which its declared lateness is then applied.
--
-- Grain   source
-- Reads   raw.web_events, raw.crm_events

WITH events AS (
    SELECT source, received_at, occurred_at FROM raw.web_events
    UNION ALL
    SELECT source, received_at, occurred_at FROM raw.crm_events
)

SELECT
    source,
    max(greatest(coalesce(received_at, occurred_at), occurred_at)) AS newest_at
FROM events
GROUP BY source
ORDER BY source
