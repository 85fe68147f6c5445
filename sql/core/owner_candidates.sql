-- What the timeline needs of some events, with the customer that each of their identifiers points at, and what is known of
-- their visitor.
--
-- Grain   raw event
-- Reads   candidates (events as the timeline reads them), core.identity_map

WITH pointers AS (
    SELECT
        namespace,
        value,
        customer_id,
        status
    FROM core.identity_map
)

SELECT
    candidates.*,
    by_user.customer_id                      AS user_id_customer,
    by_contact.customer_id                   AS crm_contact_id_customer,
    by_lead.customer_id                      AS crm_lead_id_customer,
    by_email.customer_id                     AS email_customer,
    by_phone.customer_id                     AS phone_customer,
    by_browser.customer_id                   AS anonymous_id_customer,
    by_device.customer_id                    AS device_id_customer,
    coalesce(by_browser.status, by_device.status) AS visitor_status
FROM candidates
LEFT JOIN pointers AS by_user
    ON by_user.namespace = 'user_id' AND by_user.value = candidates.user_id
LEFT JOIN pointers AS by_contact
    ON by_contact.namespace = 'crm_contact_id' AND by_contact.value = candidates.crm_contact_id
LEFT JOIN pointers AS by_lead
    ON by_lead.namespace = 'crm_lead_id' AND by_lead.value = candidates.crm_lead_id
LEFT JOIN pointers AS by_email
    ON by_email.namespace = 'email' AND by_email.value = candidates.email
LEFT JOIN pointers AS by_phone
    ON by_phone.namespace = 'phone' AND by_phone.value = candidates.phone
LEFT JOIN pointers AS by_browser
    ON by_browser.namespace = 'anonymous_id' AND by_browser.value = candidates.anonymous_id
LEFT JOIN pointers AS by_device
    ON by_device.namespace = 'device_id' AND by_device.value = candidates.device_id
