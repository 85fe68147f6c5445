-- mart.promoters_who_left: Who said that they would recommend us, and then did not renew.
--
-- Grain   customer_id
-- Reads   core.events
-- Note    the last nps answer (survey_answered) was 9 or 10; a subscription then was cancelled or expired, and none was
--         started, renewed or resumed since
--
-- column customer_id: The customer.
-- column answered_at: When the customer answered last.
-- column score: The answer, 9 or 10.
-- column ended_at: When the subscription ended.
-- column event: subscription_cancelled or subscription_expired.
-- column plan: Plan of the subscription; null where not known.
-- column cancel_reason: Reason given; null for none.

WITH answers AS (
    SELECT
        customer_id,
        event_number,
        occurred_at AS answered_at,
        try_cast(properties ->> '$.score' AS DECIMAL(18, 4)) AS score
    FROM core.events
    WHERE
        event = 'survey_answered'
        AND is_counted
        AND lower(properties ->> '$.survey') = 'nps'
        AND try_cast(properties ->> '$.score' AS DECIMAL(18, 4)) IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY event_number DESC) = 1
),

subscriptions AS (
    SELECT
        customer_id,
        event_number,
        occurred_at,
        event,
        properties
    FROM core.events
    WHERE
        is_counted
        AND event IN (
            'subscription_started',
            'subscription_renewed',
            'subscription_resumed',
            'subscription_cancelled',
            'subscription_expired'
        )
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY event_number DESC) = 1
)

SELECT
    answers.customer_id,
    answers.answered_at,
    answers.score::DOUBLE AS score,
    subscriptions.occurred_at AS ended_at,
    subscriptions.event,
    subscriptions.properties ->> '$.plan' AS plan,
    subscriptions.properties ->> '$.cancel_reason' AS cancel_reason
FROM answers
INNER JOIN subscriptions
    ON
        answers.customer_id = subscriptions.customer_id
        AND answers.event_number < subscriptions.event_number
WHERE
    answers.score >= 9
    AND subscriptions.event IN ('subscription_cancelled', 'subscription_expired')
ORDER BY
    subscriptions.occurred_at,
    answers.customer_id
