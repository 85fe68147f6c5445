-- What tickets and chats are about, and how many of them are solved at once.
SELECT
    coalesce(category, '(not given)') AS category,
    count(*) AS contacts,
    count(DISTINCT customer_id) AS customers,
    count(*) FILTER (WHERE is_solved_first_time) AS solved_first_time,
    count(*) FILTER (WHERE is_first_contact_due) AS first_contact_due,
    count(*) FILTER (WHERE is_reopened) AS reopened
FROM mart.service_contacts
GROUP BY ALL
ORDER BY contacts DESC, category
