-- Customers that one pair of identifiers holds together, by the kinds of evidence between the two.
SELECT
    kinds,
    count(*) AS bridges,
    count(DISTINCT customer_id) AS customers,
    count(*) FILTER (WHERE evidence_count = 1) AS seen_once,
    max(least(from_identifiers, to_identifiers)) AS largest_smaller_side
FROM mart.identity_bridges
GROUP BY ALL
ORDER BY bridges DESC, kinds
