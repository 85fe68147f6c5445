-- Identifiers of each kind by what became of them: alone (a customer of its own), joined with others, shared by several people, capped (a hub).
SELECT
    namespace,
    count(*) AS identifiers,
    count(*) FILTER (WHERE status = 'joined') AS joined,
    count(*) FILTER (WHERE status = 'alone') AS alone,
    count(*) FILTER (WHERE status = 'shared') AS shared,
    count(*) FILTER (WHERE status = 'capped') AS capped,
    count(DISTINCT customer_id) AS customers
FROM core.identity_map
GROUP BY ALL
ORDER BY namespace
