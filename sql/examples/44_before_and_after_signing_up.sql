-- What do customers do in the week before they sign up, and in the week after?
WITH signed AS (
    SELECT
        customer_id,
        min(occurred_at) AS signed_at
    FROM core.events
    WHERE
        event IN ('signed_up', 'form_submitted', 'newsletter_subscribed')
        AND is_counted
    GROUP BY customer_id
)

SELECT
    events.touchpoint,
    count(DISTINCT events.customer_id) FILTER (WHERE events.occurred_at < signed.signed_at) AS customers_before,
    count(DISTINCT events.customer_id) FILTER (WHERE events.occurred_at > signed.signed_at) AS customers_after,
    (SELECT count(*) FROM signed) AS signed_up
FROM signed
INNER JOIN core.events AS events
    ON signed.customer_id = events.customer_id
WHERE
    events.is_counted
    AND events.touchpoint IS NOT NULL
    AND events.occurred_at BETWEEN signed.signed_at - INTERVAL 7 DAY AND signed.signed_at + INTERVAL 7 DAY
GROUP BY events.touchpoint
ORDER BY
    customers_before DESC,
    customers_after DESC,
    events.touchpoint
