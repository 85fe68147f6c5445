-- mart.subscriptions: Every subscription: its plan, its renewals, when it ends, and what puts it at risk.
--
-- Grain   source, subscription_id
-- Reads   core.events, core.customers, mart.horizons, mart.service_contacts
-- Note    of the canonical events trial_started and subscription_started, _renewed, _upgraded, _downgraded, _paused,
--         _resumed, _expiring, _cancelled and _expired, up to the horizon of the journey
--
-- column source: Name of the source in journey.yaml.
-- column subscription_id: Id of the CRM record or the property subscription_id, else the customer's id.
-- column customer_id: The customer of its last event.
-- column account_id: Account of the customer; null for none.
-- column plan: Plan that its last event names; null where not known.
-- column trial_started_at: Start of the trial; null for none.
-- column started_at: First start; null while it is only a trial.
-- column renewals: How often it was renewed.
-- column upgrades: How often it grew (upgraded, seats or add-ons bought).
-- column downgrades: How often it shrank.
-- column last_renewed_at: Last renewal; null for none.
-- column expires_at: End of the term as last told (property expires_at); null where not known.
-- column ended_at: When it was cancelled or expired and not taken up again; null for none.
-- column cancel_reason: Reason given for that; null for none.
-- column status: trial, active, paused, cancelled or expired.
-- column is_expiring: True when it goes on and its term ends within 30 days, or a notice came after the last renewal.
-- column risks: What puts one that goes on at risk: expiring, paused, downgraded, quiet (no activity of the customer for 30 days), open ticket, detractor; '' for nothing.
-- column value_minor: Value of its last event with one, in minor units of `currency`.
-- column currency: Currency of value_minor.

WITH complete AS (
    SELECT min(horizon) AS horizon
    FROM mart.horizons
    WHERE is_in_journey
),

states AS (
    SELECT
        source,
        coalesce(record_id, properties ->> '$.subscription_id', customer_id) AS subscription_id,
        customer_id,
        event_number,
        event,
        occurred_at,
        (occurred_at, event_number) AS place,
        value_minor,
        currency,
        properties
    FROM core.events
    CROSS JOIN complete
    WHERE
        is_counted
        AND occurred_at <= complete.horizon
        AND (starts_with(event, 'subscription_') OR event IN ('trial_started', 'trial_ended', 'seats_added', 'addon_bought'))
),

records AS (
    SELECT
        source,
        subscription_id,
        arg_max(customer_id, place) AS customer_id,
        arg_max(properties ->> '$.plan', place) FILTER (WHERE properties ->> '$.plan' IS NOT NULL) AS plan,
        min(occurred_at) FILTER (WHERE event = 'trial_started') AS trial_started_at,
        min(occurred_at) FILTER (WHERE event = 'subscription_started') AS started_at,
        count(*) FILTER (WHERE event = 'subscription_renewed') AS renewals,
        count(*) FILTER (WHERE event IN ('subscription_upgraded', 'seats_added', 'addon_bought')) AS upgrades,
        count(*) FILTER (WHERE event = 'subscription_downgraded') AS downgrades,
        max(occurred_at) FILTER (WHERE event = 'subscription_renewed') AS last_renewed_at,
        arg_max(try_cast(properties ->> '$.expires_at' AS TIMESTAMPTZ), place) FILTER (
            WHERE properties ->> '$.expires_at' IS NOT NULL
        ) AS expires_at,
        max(occurred_at) FILTER (WHERE event = 'subscription_expiring') AS noticed_at,
        max(occurred_at) FILTER (
            WHERE event IN ('subscription_started', 'subscription_renewed', 'subscription_resumed')
        ) AS taken_up_at,
        arg_max(event, place) FILTER (
            WHERE event IN (
                'trial_started',
                'subscription_started',
                'subscription_renewed',
                'subscription_resumed',
                'subscription_paused',
                'subscription_cancelled',
                'subscription_expired'
            )
        ) AS last_event,
        max(occurred_at) FILTER (WHERE event IN ('subscription_cancelled', 'subscription_expired')) AS left_at,
        arg_max(event, place) FILTER (WHERE event IN ('subscription_upgraded', 'subscription_downgraded')) AS last_change,
        arg_max(properties ->> '$.cancel_reason', place) FILTER (
            WHERE event IN ('subscription_cancelled', 'subscription_expired')
        ) AS cancel_reason,
        arg_max(value_minor, place) FILTER (WHERE value_minor IS NOT NULL) AS value_minor,
        arg_max(currency, place) FILTER (WHERE value_minor IS NOT NULL) AS currency
    FROM states
    GROUP BY
        source,
        subscription_id
),

standing AS (
    SELECT
        *,
        CASE last_event
            WHEN 'subscription_cancelled' THEN 'cancelled'
            WHEN 'subscription_expired' THEN 'expired'
            WHEN 'subscription_paused' THEN 'paused'
            WHEN 'trial_started' THEN 'trial'
            ELSE 'active'
        END AS status
    FROM records
),

activity AS (
    SELECT
        customer_id,
        max(occurred_at) AS last_at
    FROM core.events
    CROSS JOIN complete
    WHERE
        customer_id IN (SELECT customer_id FROM records)
        AND is_counted
        AND is_active
        AND occurred_at <= complete.horizon
    GROUP BY customer_id
),

scores AS (
    SELECT
        customer_id,
        arg_max(try_cast(properties ->> '$.score' AS DECIMAL(18, 4)), event_number) AS score
    FROM core.events
    WHERE
        event = 'survey_answered'
        AND is_counted
        AND customer_id IN (SELECT customer_id FROM records)
        AND lower(properties ->> '$.survey') = 'nps'
    GROUP BY customer_id
),

tickets AS (
    SELECT DISTINCT customer_id
    FROM mart.service_contacts
    WHERE
        kind = 'ticket'
        AND closed_at IS NULL
),

judged AS (
    SELECT
        standing.*,
        customers.account_id,
        standing.status NOT IN ('cancelled', 'expired') AS goes_on,
        goes_on
        AND coalesce(
            standing.expires_at BETWEEN complete.horizon AND complete.horizon + INTERVAL 720 HOUR
            OR standing.noticed_at > coalesce(standing.taken_up_at, standing.trial_started_at),
            FALSE
        ) AS is_expiring,
        coalesce(activity.last_at <= complete.horizon - INTERVAL 720 HOUR, TRUE) AS is_quiet,
        tickets.customer_id IS NOT NULL AS has_ticket,
        coalesce(scores.score <= 6, FALSE) AS is_detractor
    FROM standing
    CROSS JOIN complete
    LEFT JOIN core.customers AS customers
        ON standing.customer_id = customers.customer_id
    LEFT JOIN activity
        ON standing.customer_id = activity.customer_id
    LEFT JOIN scores
        ON standing.customer_id = scores.customer_id
    LEFT JOIN tickets
        ON standing.customer_id = tickets.customer_id
)

SELECT
    source,
    subscription_id,
    customer_id,
    account_id,
    plan,
    trial_started_at,
    started_at,
    renewals,
    upgrades,
    downgrades,
    last_renewed_at,
    expires_at,
    if(goes_on, NULL, left_at) AS ended_at,
    if(goes_on, NULL, cancel_reason) AS cancel_reason,
    status,
    is_expiring,
    if(
        goes_on,
        concat_ws(
            ', ',
            if(is_expiring, 'expiring', NULL),
            if(status = 'paused', 'paused', NULL),
            if(last_change = 'subscription_downgraded', 'downgraded', NULL),
            if(is_quiet, 'quiet', NULL),
            if(has_ticket, 'open ticket', NULL),
            if(is_detractor, 'detractor', NULL)
        ),
        ''
    ) AS risks,
    value_minor,
    currency
FROM judged
ORDER BY
    source,
    subscription_id
