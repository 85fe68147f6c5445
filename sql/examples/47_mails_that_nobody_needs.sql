-- Which mails are sent often and hardly opened, or sent again to the same customer within a day?
WITH mails AS (
    SELECT
        customer_id,
        event,
        occurred_at,
        coalesce(properties ->> '$.campaign', utm_campaign, '(not known)') AS campaign,
        occurred_at - lag(occurred_at) OVER (
            PARTITION BY
                customer_id,
                event
            ORDER BY event_number
        ) <= INTERVAL 24 HOUR AS is_soon_after_another
    FROM core.events
    WHERE
        event IN ('email_sent', 'email_opened', 'email_clicked')
        AND is_counted
)

SELECT
    campaign,
    count(*) FILTER (WHERE event = 'email_sent') AS sent,
    count(*) FILTER (WHERE event = 'email_opened') AS opened,
    count(*) FILTER (WHERE event = 'email_clicked') AS clicked,
    rate(count(*) FILTER (WHERE event = 'email_clicked'), count(*) FILTER (WHERE event = 'email_sent')) AS click_rate,
    count(*) FILTER (WHERE event = 'email_sent' AND is_soon_after_another) AS sent_within_a_day_of_another
FROM mails
GROUP BY campaign
ORDER BY
    sent DESC,
    campaign
