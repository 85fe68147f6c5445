-- mart.acquisition: Which traffic sources bring customers who buy, and what a customer and a purchaser cost.
--
-- Grain   source, medium, currency
-- Reads   core.touches, core.customers, mart.ad_spend
-- Note    a customer belongs to the source of the first touch ever; sources and mediums are compared in small letters;
--         where money was spent in several currencies the customers stand in each row, and money is never added up
--
-- column source: Traffic source (utm_source); '(not known)' for none.
-- column medium: Traffic medium (utm_medium); '(not known)' for none.
-- column channels: Channels of those first touches, and else of the money spent, joined with ', '.
-- column customers: Customers who first came so.
-- column purchasers: Of those, with a conversion by now.
-- column purchaser_rate: purchasers / customers.
-- column purchaser_rate_low: Low end of the Wilson 95 % interval of purchaser_rate.
-- column purchaser_rate_high: High end of the Wilson 95 % interval of purchaser_rate.
-- column currency: Currency of cost_minor; null where no money was spent.
-- column cost_minor: Money spent in minor units of `currency`; null for none.
-- column clicks: Clicks that the advertising networks tell of; null for none.
-- column cost_per_customer_minor: cost_minor / customers.
-- column cost_per_purchaser_minor: cost_minor / purchasers (customer acquisition cost).

WITH arrivals AS (
    SELECT
        coalesce(lower(touches.utm_source), '(not known)') AS source,
        coalesce(lower(touches.utm_medium), '(not known)') AS medium,
        string_agg(DISTINCT touches.channel, ', ' ORDER BY touches.channel) AS channels,
        count(*) AS customers,
        count(*) FILTER (WHERE customers.purchase_count > 0) AS purchasers
    FROM core.touches AS touches
    LEFT JOIN core.customers AS customers
        ON touches.customer_id = customers.customer_id
    WHERE touches.touch_number = 1
    GROUP BY ALL
),

spent AS (
    SELECT
        coalesce(lower(source), '(not known)') AS source,
        coalesce(lower(medium), '(not known)') AS medium,
        currency,
        string_agg(DISTINCT channel, ', ' ORDER BY channel) AS channels,
        sum(cost_minor)::BIGINT AS cost_minor,
        sum(clicks)::BIGINT AS clicks
    FROM mart.ad_spend
    GROUP BY ALL
)

SELECT
    coalesce(arrivals.source, spent.source) AS source,
    coalesce(arrivals.medium, spent.medium) AS medium,
    coalesce(arrivals.channels, spent.channels) AS channels,
    coalesce(arrivals.customers, 0) AS customers,
    coalesce(arrivals.purchasers, 0) AS purchasers,
    rate(arrivals.purchasers, arrivals.customers) AS purchaser_rate,
    wilson_low(arrivals.purchasers, arrivals.customers) AS purchaser_rate_low,
    wilson_high(arrivals.purchasers, arrivals.customers) AS purchaser_rate_high,
    spent.currency,
    spent.cost_minor,
    spent.clicks,
    round_even(rate(spent.cost_minor::DOUBLE, arrivals.customers), 6) AS cost_per_customer_minor,
    round_even(rate(spent.cost_minor::DOUBLE, arrivals.purchasers), 6) AS cost_per_purchaser_minor
FROM arrivals
FULL JOIN spent
    ON
        arrivals.source = spent.source
        AND arrivals.medium = spent.medium
ORDER BY
    customers DESC,
    source,
    medium,
    spent.currency
