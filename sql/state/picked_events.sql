-- The events of `picked` as the timeline reads them; those of the web are fetched by their place.
--
-- Grain   raw event
-- Reads   raw.web_events, crm_timeline, present, picked

CREATE OR REPLACE TEMP VIEW candidates AS
SELECT
    events.* EXCLUDE (clock_source, is_clamped, utm_term, utm_content, row_key, file_id, row),
    places.fingerprint,
    true AS is_web
FROM (FROM present SEMI JOIN picked USING (fingerprint) WHERE is_web) AS places
INNER JOIN raw.web_events AS events
    ON places.place = events.rowid
UNION ALL BY NAME
FROM crm_timeline
SEMI JOIN picked USING (fingerprint)
