-- Customers by how many browsers and devices they were seen on, and how many of them are known by more than a browser.
SELECT
    least(visitor_count, 10) AS visitors,
    count(*) AS customers,
    count(*) FILTER (WHERE is_identified) AS identified,
    count(*) FILTER (WHERE is_multi_strong) AS multi_strong,
    sum(identifier_count)::BIGINT AS identifiers,
    max(identifier_count) AS most_identifiers
FROM core.customers
GROUP BY ALL
ORDER BY visitors
