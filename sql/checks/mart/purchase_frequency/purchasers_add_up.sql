-- Finds a number of purchasers or orders that is not that of core.customers. There should be none.
SELECT
    any_value(frequency.all_purchasers) AS all_purchasers,
    sum(frequency.purchasers)::BIGINT AS purchasers,
    any_value(frequency.all_orders) AS all_orders
FROM mart.purchase_frequency AS frequency
HAVING
    any_value(frequency.all_purchasers) <> sum(frequency.purchasers)
    OR any_value(frequency.all_orders) <> (SELECT sum(purchase_count) FROM core.customers)
