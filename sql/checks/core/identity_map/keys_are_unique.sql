-- Finds identifiers that point at more than one customer. There should be none.
SELECT
    namespace,
    value,
    count(*) AS times
FROM core.identity_map
GROUP BY
    namespace,
    value
HAVING count(*) > 1
