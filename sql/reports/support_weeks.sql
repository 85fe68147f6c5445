-- Tickets and live chats by the week in which they were opened, all channels together.
SELECT
    week,
    sum(contacts)::BIGINT AS contacts,
    sum(tickets)::BIGINT AS tickets,
    sum(replied_in_24_hours)::BIGINT AS replied_in_24_hours,
    sum(reply_due)::BIGINT AS reply_due,
    sum(replied_in_24_hours) / nullif(sum(reply_due), 0) AS response_rate
FROM mart.support
GROUP BY ALL
ORDER BY week
