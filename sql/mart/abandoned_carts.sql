-- mart.abandoned_carts: Every cart that was filled: ordered, abandoned, reminded of, recovered.
--
-- Grain   customer_id, cart_number
-- Reads   core.events, core.customers, mart.horizons
-- Note    a cart begins with the first add_to_cart after a conversion, or after seven days without one; it is ordered
--         when a conversion follows its last add_to_cart within 24 hours, recovered when within seven days; a reminder is
--         an email_sent whose property campaign is abandoned_cart, cart_reminder or cart_recovery; time runs to the
--         horizon of the journey
--
-- column customer_id: The customer.
-- column cart_number: 1 for the customer's first cart.
-- column opened_at: Time of its first add_to_cart.
-- column filled_at: Time of its last add_to_cart.
-- column additions: How often something was put into it.
-- column ordered_at: Time of the conversion within seven days of filled_at; null for none.
-- column value_minor: Value of that conversion in minor units of `currency`.
-- column currency: Currency of value_minor.
-- column reminded_at: First reminder after filled_at, before the order and within seven days; null for none.
-- column clicked_at: First click on such a mail (email_clicked of these campaigns) in that time; null for none.
-- column status: ordered, recovered, abandoned, or open (filled less than 24 hours before the horizon).
-- column is_final: False while the seven days still run and there is no order.
-- column is_later_customer: True when the customer has any conversion by now.

WITH complete AS (
    SELECT min(horizon) AS horizon
    FROM mart.horizons
    WHERE is_in_journey
),

steps AS (
    SELECT
        events.customer_id,
        events.event_number,
        events.occurred_at,
        events.event,
        events.is_conversion,
        events.value_minor,
        events.currency
    FROM core.events AS events
    CROSS JOIN complete
    WHERE
        events.is_counted
        AND events.occurred_at <= complete.horizon
        AND (
            events.event = 'add_to_cart'
            OR events.is_conversion
            OR (
                events.event IN ('email_sent', 'email_clicked')
                AND events.properties ->> '$.campaign' IN ('abandoned_cart', 'cart_reminder', 'cart_recovery')
            )
        )
),

additions AS (
    SELECT
        *,
        lag(occurred_at) OVER walk AS added_before_at,
        count(*) FILTER (WHERE is_conversion) OVER walk AS orders_before
    FROM steps
    WHERE
        event = 'add_to_cart'
        OR is_conversion
    WINDOW walk AS (PARTITION BY customer_id ORDER BY event_number)
),

opened AS (
    SELECT
        *,
        coalesce(
            orders_before <> lag(orders_before) OVER walk
            OR occurred_at > added_before_at + INTERVAL 168 HOUR,
            TRUE
        ) AS opens
    FROM additions
    WHERE event = 'add_to_cart'
    WINDOW walk AS (PARTITION BY customer_id ORDER BY event_number)
),

numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE opens) OVER (PARTITION BY customer_id ORDER BY event_number) AS cart_number
    FROM opened
),

carts AS (
    SELECT
        customer_id,
        cart_number,
        min(occurred_at) AS opened_at,
        max(occurred_at) AS filled_at,
        max(event_number) AS last_number,
        count(*) AS additions
    FROM numbered
    GROUP BY ALL
),

next_orders AS (
    SELECT
        carts.customer_id,
        carts.cart_number,
        min_by({'occurred_at': orders.occurred_at, 'value_minor': orders.value_minor, 'currency': orders.currency}, orders.event_number)
            AS conversion
    FROM carts
    INNER JOIN steps AS orders
        ON
            carts.customer_id = orders.customer_id
            AND carts.last_number < orders.event_number
    WHERE orders.is_conversion
    GROUP BY ALL
),

followed AS (
    SELECT
        carts.*,
        next_orders.conversion.occurred_at AS ordered_at,
        next_orders.conversion.value_minor,
        next_orders.conversion.currency
    FROM carts
    LEFT JOIN next_orders
        ON
            carts.customer_id = next_orders.customer_id
            AND carts.cart_number = next_orders.cart_number
),

ended AS (
    SELECT
        followed.* EXCLUDE (ordered_at, value_minor, currency),
        followed.ordered_at <= followed.filled_at + INTERVAL 168 HOUR AS is_in_time,
        if(is_in_time, followed.ordered_at, NULL) AS ordered_at,
        if(is_in_time, followed.value_minor, NULL) AS value_minor,
        if(is_in_time, followed.currency, NULL) AS currency
    FROM followed
),

mailed AS (
    SELECT
        ended.customer_id,
        ended.cart_number,
        min(mails.occurred_at) FILTER (WHERE mails.event = 'email_sent') AS reminded_at,
        min(mails.occurred_at) FILTER (WHERE mails.event = 'email_clicked') AS clicked_at
    FROM ended
    INNER JOIN steps AS mails
        ON
            ended.customer_id = mails.customer_id
            AND mails.occurred_at > ended.filled_at
            AND mails.occurred_at <= coalesce(ended.ordered_at, ended.filled_at + INTERVAL 168 HOUR)
    WHERE mails.event IN ('email_sent', 'email_clicked')
    GROUP BY ALL
)

SELECT
    ended.customer_id,
    ended.cart_number,
    ended.opened_at,
    ended.filled_at,
    ended.additions,
    ended.ordered_at,
    ended.value_minor,
    ended.currency,
    mailed.reminded_at,
    mailed.clicked_at,
    CASE
        WHEN ended.ordered_at <= ended.filled_at + INTERVAL 24 HOUR THEN 'ordered'
        WHEN ended.ordered_at IS NOT NULL THEN 'recovered'
        WHEN ended.filled_at > complete.horizon - INTERVAL 24 HOUR THEN 'open'
        ELSE 'abandoned'
    END AS status,
    ended.ordered_at IS NOT NULL OR ended.filled_at <= complete.horizon - INTERVAL 168 HOUR AS is_final,
    coalesce(customers.purchase_count > 0, FALSE) AS is_later_customer
FROM ended
CROSS JOIN complete
LEFT JOIN mailed
    ON
        ended.customer_id = mailed.customer_id
        AND ended.cart_number = mailed.cart_number
LEFT JOIN core.customers AS customers
    ON ended.customer_id = customers.customer_id
ORDER BY
    ended.filled_at,
    ended.customer_id,
    ended.cart_number
