-- Support by channel over all time: how much, how fast, and what is solved at once.
SELECT
    channel,
    sum(contacts)::BIGINT AS contacts,
    sum(tickets)::BIGINT AS tickets,
    sum(still_open)::BIGINT AS still_open,
    sum(replied_in_24_hours)::BIGINT AS replied_in_24_hours,
    sum(reply_due)::BIGINT AS reply_due,
    sum(replied_in_24_hours) / nullif(sum(reply_due), 0) AS response_rate,
    sum(solved_first_time)::BIGINT AS solved_first_time,
    sum(first_contact_due)::BIGINT AS first_contact_due,
    sum(solved_first_time) / nullif(sum(first_contact_due), 0) AS first_contact_rate,
    sum(abandoned)::BIGINT AS abandoned,
    sum(abandonment_due)::BIGINT AS abandonment_due,
    sum(helped_chats)::BIGINT AS helped_chats,
    sum(helped_after_5_minutes)::BIGINT AS helped_after_5_minutes,
    sum(hand_offs)::BIGINT AS hand_offs,
    sum(reopened)::BIGINT AS reopened
FROM mart.support
GROUP BY ALL
ORDER BY contacts DESC, channel
