-- Finds a number of contacts by week and channel that is not that of the tickets and chats. There should be none.
SELECT
    (SELECT coalesce(sum(contacts), 0)::BIGINT FROM mart.support) AS counted,
    (SELECT count(*) FROM mart.service_contacts) AS contacts
WHERE counted <> contacts
