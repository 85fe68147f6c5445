-- What has changed among the events that the timeline reads since core.events was last built from them.
--
-- Grain   event
-- Reads   web_timeline, crm_timeline, state.timeline
-- Note    `fresh` are new or have changed, `gone` are the old forms of the changed, and what is there no more. Places hold
--         for the transaction at hand only.

CREATE OR REPLACE TEMP TABLE present AS
SELECT fingerprint, is_web, place
FROM web_timeline
UNION ALL
SELECT fingerprint, is_web, NULL
FROM crm_timeline;

CREATE OR REPLACE TEMP TABLE fresh AS
FROM present
ANTI JOIN state.timeline USING (fingerprint);

CREATE OR REPLACE TEMP TABLE gone AS
FROM state.timeline
ANTI JOIN present USING (fingerprint);
