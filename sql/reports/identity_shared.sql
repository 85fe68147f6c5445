-- Browsers and devices that several people use, by how many people that are.
SELECT
    namespace,
    customers,
    count(*) AS shared,
    min(first_evidence_at) AS first_evidence_at,
    max(newest_edge_at) AS newest_edge_at
FROM mart.identity_shared
GROUP BY ALL
ORDER BY namespace, customers
