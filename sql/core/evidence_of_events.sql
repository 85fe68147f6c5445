-- The columns of every event that can be evidence of who somebody is.
--
-- Grain   raw event
-- Reads   raw.web_events, raw.crm_events

SELECT source, event_id, event, occurred_at, received_at, object, record_id,
    anonymous_id, device_id, user_id, crm_contact_id, crm_lead_id, email, phone,
    CASE WHEN event IN ('merge', 'manual', 'alias') THEN properties END AS properties
FROM (FROM raw.web_events UNION ALL BY NAME FROM raw.crm_events)
