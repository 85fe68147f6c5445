-- How many identifiers became how many customers, and how many of those bought, once and again.
SELECT
    (SELECT count(*) FROM core.identity_map)          AS identifiers,
    count(*)                                          AS customers,
    count(*) FILTER (WHERE purchase_count >= 1)       AS purchasers,
    count(*) FILTER (WHERE purchase_count >= 2)       AS repeaters
FROM core.customers
