-- The rows, by key, that are a customer's: of its events, and those that carry an identifier of it.
--
-- Grain   row_key
-- Reads   raw.web_events, raw.crm_events, raw.line_items, raw.crm_records, core.events,
--         members (registered: namespace, value)

WITH told AS (
    SELECT row_key, source, event_id, user_id, crm_contact_id, crm_lead_id, email, phone, anonymous_id, device_id
    FROM raw.web_events
    UNION ALL
    SELECT row_key, source, event_id, user_id, crm_contact_id, crm_lead_id, email, phone, anonymous_id, device_id
    FROM raw.crm_events
    UNION ALL
    SELECT row_key, source, event_id, user_id, crm_contact_id, crm_lead_id, email, phone, anonymous_id, device_id
    FROM raw.line_items
    UNION ALL
    SELECT row_key, source, NULL AS event_id, user_id, crm_contact_id, crm_lead_id, email, phone, anonymous_id, device_id
    FROM raw.crm_records
),

owned AS (
    SELECT
        source,
        event_id
    FROM core.events
    WHERE customer_id = $customer
)

SELECT row_key
FROM told
SEMI JOIN owned USING (source, event_id)
WHERE row_key IS NOT NULL
UNION
SELECT row_key
FROM told
WHERE
    row_key IS NOT NULL
    AND (
        user_id IN (SELECT value FROM members WHERE namespace = 'user_id')
        OR crm_contact_id IN (SELECT value FROM members WHERE namespace = 'crm_contact_id')
        OR crm_lead_id IN (SELECT value FROM members WHERE namespace = 'crm_lead_id')
        OR email IN (SELECT value FROM members WHERE namespace = 'email')
        OR phone IN (SELECT value FROM members WHERE namespace = 'phone')
        OR anonymous_id IN (SELECT value FROM members WHERE namespace = 'anonymous_id')
        OR device_id IN (SELECT value FROM members WHERE namespace = 'device_id')
    )
