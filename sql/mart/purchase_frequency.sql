-- mart.purchase_frequency: How many customers bought once, twice, three times, …
--
-- Grain   orders
-- Reads   core.customers
-- Note    orders are conversions (`conversions:` of journey.yaml); purchase frequency is all_orders / all_purchasers
--
-- column orders: Conversions of a customer; 10 stands for 10 and more.
-- column purchasers: Customers with so many.
-- column all_purchasers: Customers with any.
-- column share: purchasers / all_purchasers.
-- column all_orders: Conversions of all of them.
-- column orders_per_purchaser: all_orders / all_purchasers.

SELECT
    least(purchase_count, 10) AS orders,
    count(*) AS purchasers,
    (sum(count(*)) OVER everybody)::BIGINT AS all_purchasers,
    rate(count(*), sum(count(*)) OVER everybody) AS share,
    (sum(sum(purchase_count)) OVER everybody)::BIGINT AS all_orders,
    rate(sum(sum(purchase_count)) OVER everybody, sum(count(*)) OVER everybody) AS orders_per_purchaser
FROM core.customers
WHERE purchase_count > 0
GROUP BY least(purchase_count, 10)
WINDOW everybody AS ()
ORDER BY orders
