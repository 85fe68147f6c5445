-- mart.referrals: Who referred whom, and whether the referred became customers.
--
-- Grain   source, event_id
-- Reads   core.events, core.customers, core.identity_map
-- Note    of the canonical event referral_made of the one who refers; whom is told by a property referred_id, an
--         identifier of any kind (an e-mail address as its keyed hash)
--
-- column source: Name of the source in journey.yaml.
-- column event_id: Id of the referral.
-- column referred_at: When.
-- column customer_id: The customer who refers.
-- column way: How (property way); null for none.
-- column is_accepted: True when the source says that it was accepted (property accepted); null where not told.
-- column referrer_purchases: Conversions of the one who refers, by now.
-- column referred_customer_id: The referred customer; null where not told or not seen.
-- column referred_first_purchase_at: First conversion of the referred; null for none.
-- column referred_purchases: Conversions of the referred by now; null where not known.

WITH made AS (
    SELECT
        source,
        event_id,
        occurred_at AS referred_at,
        customer_id,
        properties ->> '$.way' AS way,
        try_cast(properties ->> '$.accepted' AS BOOLEAN) AS is_accepted,
        properties ->> '$.referred_id' AS referred_id
    FROM core.events
    WHERE
        event = 'referral_made'
        AND is_counted
),

found AS (
    SELECT
        value AS referred_id,
        min(customer_id) AS customer_id
    FROM core.identity_map
    WHERE value IN (SELECT referred_id FROM made)
    GROUP BY value
    HAVING count(DISTINCT customer_id) = 1
)

SELECT
    made.source,
    made.event_id,
    made.referred_at,
    made.customer_id,
    made.way,
    made.is_accepted,
    coalesce(referrers.purchase_count, 0) AS referrer_purchases,
    found.customer_id AS referred_customer_id,
    referred.first_purchase_at AS referred_first_purchase_at,
    referred.purchase_count AS referred_purchases
FROM made
LEFT JOIN core.customers AS referrers
    ON made.customer_id = referrers.customer_id
LEFT JOIN found
    ON made.referred_id = found.referred_id
LEFT JOIN core.customers AS referred
    ON found.customer_id = referred.customer_id
ORDER BY
    made.referred_at,
    made.source,
    made.event_id
