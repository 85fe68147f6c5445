-- mart.accounts: Every account: its people, how long it took to the first conversion, and its deals.
--
-- Grain   account_id
-- Reads   core.customers, mart.sales_outcomes
-- Note    a customer belongs to the account that the last event names
--
-- column account_id: The account.
-- column people: Customers who belong to it.
-- column leads: Of those, with a CRM lead or contact.
-- column people_before_first_conversion: Of those, seen by its first conversion: who took part in the decision; null without one.
-- column purchasers: Of those, with a conversion.
-- column conversions: Conversions of its people.
-- column events: Events of its people.
-- column first_seen_at: First event of any of them.
-- column last_seen_at: Last event of any of them.
-- column first_conversion_at: First conversion of any of them; null for none.
-- column cycle_days: Days from first_seen_at to first_conversion_at; null without a conversion.
-- column deals: Deals of the account.
-- column won_deals: Of those, won.
-- column lost_deals: Of those, lost.
-- column open_deals: Of those, open.

WITH people AS (
    SELECT
        *,
        min(first_purchase_at) OVER (PARTITION BY account_id) AS first_conversion_at
    FROM core.customers
    WHERE account_id IS NOT NULL
),

deals AS (
    SELECT
        account_id,
        count(*) AS deals,
        count(*) FILTER (WHERE outcome = 'won') AS won_deals,
        count(*) FILTER (WHERE outcome = 'lost') AS lost_deals,
        count(*) FILTER (WHERE outcome = 'open') AS open_deals
    FROM mart.sales_outcomes
    WHERE object = 'deal'
    GROUP BY account_id
),

counted AS (
    SELECT
        account_id,
        count(*) AS people,
        count(*) FILTER (WHERE is_lead) AS leads,
        count(*) FILTER (WHERE first_seen_at <= first_conversion_at) AS people_before,
        count(*) FILTER (WHERE purchase_count > 0) AS purchasers,
        sum(purchase_count)::BIGINT AS conversions,
        sum(event_count)::BIGINT AS events,
        min(first_seen_at) AS first_seen_at,
        max(last_seen_at) AS last_seen_at,
        min(first_conversion_at) AS first_conversion_at
    FROM people
    GROUP BY account_id
)

SELECT
    counted.account_id,
    counted.people,
    counted.leads,
    if(counted.first_conversion_at IS NULL, NULL, counted.people_before) AS people_before_first_conversion,
    counted.purchasers,
    counted.conversions,
    counted.events,
    counted.first_seen_at,
    counted.last_seen_at,
    counted.first_conversion_at,
    round_even((epoch_us(counted.first_conversion_at) - epoch_us(counted.first_seen_at)) / 86400000000, 6) AS cycle_days,
    coalesce(deals.deals, 0) AS deals,
    coalesce(deals.won_deals, 0) AS won_deals,
    coalesce(deals.lost_deals, 0) AS lost_deals,
    coalesce(deals.open_deals, 0) AS open_deals
FROM counted
LEFT JOIN deals
    ON counted.account_id = deals.account_id
ORDER BY
    counted.people DESC,
    counted.account_id
