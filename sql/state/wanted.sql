-- The events whose customer has to be looked up anew: fresh ones, those that carry an identifier that points elsewhere now,
-- and all of shared visitors, whose events depend on each other.
--
-- Grain   event
-- Reads   raw.web_events, crm_timeline, present, fresh, state.moved, core.identity_map
-- Note    Those of the CRM are few, and all looked up.

CREATE OR REPLACE TEMP TABLE asked AS
SELECT namespace, value
FROM state.moved
WHERE NOT is_new
UNION
SELECT namespace, value
FROM core.identity_map
WHERE status = 'shared' AND namespace IN ('anonymous_id', 'device_id');

CREATE OR REPLACE TEMP TABLE wanted AS
SELECT fingerprint
FROM fresh
UNION
SELECT fingerprint
FROM crm_timeline
UNION
SELECT fingerprint
FROM present
WHERE is_web AND place IN (
    SELECT rowid
    FROM raw.web_events
    WHERE
        anonymous_id IN (SELECT value FROM asked WHERE namespace = 'anonymous_id')
        OR device_id IN (SELECT value FROM asked WHERE namespace = 'device_id')
        OR user_id IN (SELECT value FROM asked WHERE namespace = 'user_id')
        OR crm_contact_id IN (SELECT value FROM asked WHERE namespace = 'crm_contact_id')
        OR crm_lead_id IN (SELECT value FROM asked WHERE namespace = 'crm_lead_id')
        OR email IN (SELECT value FROM asked WHERE namespace = 'email')
        OR phone IN (SELECT value FROM asked WHERE namespace = 'phone')
);

CREATE OR REPLACE TEMP TABLE picked AS
FROM wanted;
