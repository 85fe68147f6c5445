-- Purchasers by how often they bought; 10 stands for ten times and more.
SELECT
    orders,
    purchasers,
    all_purchasers,
    purchasers / nullif(all_purchasers, 0) AS share,
    all_orders
FROM mart.purchase_frequency
ORDER BY orders
