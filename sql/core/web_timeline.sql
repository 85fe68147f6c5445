-- Every web event as the timeline reads it, with a fingerprint of just that, and its place in raw.web_events.
--
-- Grain   raw event
-- Reads   raw.web_events

CREATE OR REPLACE TEMP VIEW web_timeline AS
SELECT
    * EXCLUDE (clock_source, is_clamped, utm_term, utm_content, row_key, file_id, row),
    hash(*COLUMNS(* EXCLUDE (clock_source, is_clamped, utm_term, utm_content, row_key, file_id, row))) AS fingerprint,
    true                                                                                               AS is_web,
    rowid                                                                                              AS place
FROM raw.web_events
