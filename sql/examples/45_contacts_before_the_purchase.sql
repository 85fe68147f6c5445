-- Do customers use fewer or more contacts before their first purchase than we expect?
WITH contacts AS (
    SELECT
        customers.customer_id,
        count(*) AS contacts,
        count(DISTINCT events.touchpoint) AS kinds
    FROM core.customers AS customers
    INNER JOIN core.events AS events
        ON customers.customer_id = events.customer_id
    WHERE
        events.is_counted
        AND events.touchpoint IS NOT NULL
        AND events.occurred_at <= customers.first_purchase_at
    GROUP BY customers.customer_id
)

SELECT
    least(kinds, 15) AS kinds_of_contact_up_to_15,
    count(*) AS purchasers,
    quantile_disc(contacts, 0.5) AS median_contacts
FROM contacts
GROUP BY ALL
ORDER BY kinds_of_contact_up_to_15
