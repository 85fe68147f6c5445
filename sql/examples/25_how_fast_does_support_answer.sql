-- Which support channel carries what volume, how fast do we answer, and is it solved the first time?
SELECT
    channel,
    sum(contacts)::BIGINT AS contacts,
    sum(replied_in_24_hours)::BIGINT AS replied_in_24_hours,
    sum(reply_due)::BIGINT AS reply_due,
    round(100 * rate(sum(replied_in_24_hours), sum(reply_due)), 1) AS response_percent,
    sum(solved_first_time)::BIGINT AS solved_first_time,
    sum(first_contact_due)::BIGINT AS first_contact_due,
    round(100 * rate(sum(solved_first_time), sum(first_contact_due)), 1) AS first_contact_percent,
    sum(abandoned)::BIGINT AS abandoned,
    sum(abandonment_due)::BIGINT AS abandonment_due,
    sum(hand_offs)::BIGINT AS hand_offs
FROM mart.support
GROUP BY channel
ORDER BY
    contacts DESC,
    channel
