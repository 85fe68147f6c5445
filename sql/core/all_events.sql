-- Every event as the timeline reads it.
--
-- Grain   raw event
-- Reads   web_timeline, crm_timeline

CREATE OR REPLACE TEMP VIEW candidates AS
SELECT * EXCLUDE (place)
FROM web_timeline
UNION ALL BY NAME
FROM crm_timeline
