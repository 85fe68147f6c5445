-- mart.customer_value: What a purchaser of each segment was worth so far, and how often one buys.
--
-- Grain   segment, currency
-- Reads   core.events, core.customer_segments, ops.settings
-- Note    historic value up to now, not a forecast; a value without a currency is in the report currency; money of
--         different currencies is never added; segments may overlap
--
-- column segment: Segment of journey.yaml; '(all)' for all customers.
-- column currency: Currency of the money; the report currency for conversions without a value.
-- column purchasers: Customers of the segment with a conversion in this currency.
-- column orders: Their conversions in it.
-- column orders_per_purchaser: orders / purchasers (purchase frequency).
-- column revenue_minor: Sum of the conversions' value less returns, in minor units.
-- column value_per_purchaser_minor: revenue_minor / purchasers, in minor units (historic customer lifetime value).
-- column value_per_order_minor: revenue_minor / orders, in minor units.

WITH report AS (
    SELECT max(value) FILTER (WHERE name = 'currency') AS currency
    FROM ops.settings
),

customers AS (
    SELECT
        events.customer_id,
        coalesce(events.currency, report.currency) AS currency,
        count(*) FILTER (WHERE events.is_conversion) AS orders,
        coalesce(
            sum(if(events.event = 'order_returned', -abs(events.value_minor), events.value_minor)), 0
        )::BIGINT AS revenue_minor
    FROM core.events AS events
    CROSS JOIN report
    WHERE
        events.is_counted
        AND (events.is_conversion OR events.event = 'order_returned')
    GROUP BY ALL
),

members AS (
    SELECT
        '(all)' AS segment,
        customer_id
    FROM (SELECT DISTINCT customer_id FROM customers)
    UNION ALL
    SELECT
        segment,
        customer_id
    FROM core.customer_segments
)

SELECT
    members.segment,
    customers.currency,
    count(*) AS purchasers,
    sum(customers.orders)::BIGINT AS orders,
    rate(sum(customers.orders), count(*)) AS orders_per_purchaser,
    sum(customers.revenue_minor)::BIGINT AS revenue_minor,
    round_even(rate(sum(customers.revenue_minor)::DOUBLE, count(*)), 6) AS value_per_purchaser_minor,
    round_even(rate(sum(customers.revenue_minor)::DOUBLE, sum(customers.orders)), 6) AS value_per_order_minor
FROM members
INNER JOIN customers
    ON members.customer_id = customers.customer_id
WHERE customers.orders > 0
GROUP BY
    members.segment,
    customers.currency
ORDER BY
    members.segment,
    customers.currency
