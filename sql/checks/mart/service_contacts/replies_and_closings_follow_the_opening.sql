-- Warns of tickets and chats that were answered or closed before they were opened, as their source tells it.
SELECT
    kind,
    source,
    record_id,
    opened_at,
    first_reply_at,
    closed_at
FROM mart.service_contacts
WHERE
    first_reply_at < opened_at
    OR closed_at < opened_at
