-- mart.support: How much support each channel carries week by week, how fast it answers, and what is solved at once.
--
-- Grain   week, channel
-- Reads   mart.service_contacts, ops.settings
-- Note    a contact counts in the week in which it was opened; a rate is of those old enough to be judged, and of
--         sources that tell what it asks for
--
-- column week: Monday of the week, in the report time zone.
-- column channel: How the customers asked.
-- column contacts: Tickets and live chats opened.
-- column tickets: Of those, tickets.
-- column customers: Distinct customers.
-- column still_open: Tickets not closed at the horizon.
-- column reply_due: Contacts opened 24 hours or more before the horizon.
-- column replied_in_24_hours: Of those, answered by a human within 24 hours.
-- column response_rate: replied_in_24_hours / reply_due.
-- column response_rate_low: Low end of the Wilson 95 % interval of response_rate.
-- column response_rate_high: High end of the Wilson 95 % interval of response_rate.
-- column first_contact_due: Tickets closed 7 days or more before the horizon.
-- column solved_first_time: Of those, with one message, not reopened and no new ticket of the customer within 7 days.
-- column first_contact_rate: solved_first_time / first_contact_due.
-- column first_contact_rate_low: Low end of the Wilson 95 % interval of first_contact_rate.
-- column first_contact_rate_high: High end of the Wilson 95 % interval of first_contact_rate.
-- column helped_chats: Chats that were answered.
-- column helped_after_5_minutes: Of those, after more than five minutes.
-- column median_help_delay_seconds_of_helped: Median (nearest rank) wait of the chats that were answered.
-- column abandonment_due: Chats started 24 hours or more before the horizon.
-- column abandoned: Of those, not answered within 24 hours.
-- column abandonment_rate: abandoned / abandonment_due.
-- column hand_offs: How often contacts were given to somebody else.
-- column reopened: Tickets opened again.

WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

counted AS (
    SELECT
        date_trunc('week', contacts.opened_at AT TIME ZONE report.time_zone)::DATE AS week,
        contacts.channel,
        count(*) AS contacts,
        count(*) FILTER (WHERE contacts.kind = 'ticket') AS tickets,
        count(DISTINCT contacts.customer_id) AS customers,
        count(*) FILTER (WHERE contacts.kind = 'ticket' AND contacts.closed_at IS NULL) AS still_open,
        count(*) FILTER (WHERE contacts.is_reply_due) AS reply_due,
        count(*) FILTER (WHERE contacts.is_replied_in_24_hours) AS replied_in_24_hours,
        count(*) FILTER (WHERE contacts.is_first_contact_due) AS first_contact_due,
        count(*) FILTER (WHERE contacts.is_solved_first_time) AS solved_first_time,
        count(contacts.help_delay_seconds) AS helped_chats,
        count(*) FILTER (WHERE contacts.help_delay_seconds > 300) AS helped_after_5_minutes,
        quantile_disc(contacts.help_delay_seconds, 0.5) AS median_help_delay_seconds_of_helped,
        count(contacts.is_abandoned) AS abandonment_due,
        count(*) FILTER (WHERE contacts.is_abandoned) AS abandoned,
        sum(contacts.hand_offs)::BIGINT AS hand_offs,
        count(*) FILTER (WHERE contacts.is_reopened) AS reopened
    FROM mart.service_contacts AS contacts
    CROSS JOIN report
    GROUP BY ALL
)

SELECT
    week,
    channel,
    contacts,
    tickets,
    customers,
    still_open,
    reply_due,
    replied_in_24_hours,
    rate(replied_in_24_hours, reply_due) AS response_rate,
    wilson_low(replied_in_24_hours, reply_due) AS response_rate_low,
    wilson_high(replied_in_24_hours, reply_due) AS response_rate_high,
    first_contact_due,
    solved_first_time,
    rate(solved_first_time, first_contact_due) AS first_contact_rate,
    wilson_low(solved_first_time, first_contact_due) AS first_contact_rate_low,
    wilson_high(solved_first_time, first_contact_due) AS first_contact_rate_high,
    helped_chats,
    helped_after_5_minutes,
    median_help_delay_seconds_of_helped,
    abandonment_due,
    abandoned,
    rate(abandoned, abandonment_due) AS abandonment_rate,
    hand_offs,
    reopened
FROM counted
ORDER BY
    week,
    channel
