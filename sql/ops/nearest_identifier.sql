-- The identifier, keyed hashes aside, whose value is most like $value.
SELECT
    namespace,
    value
FROM core.identity_map
WHERE
    NOT regexp_full_match(value, '[0-9a-f]{64}')
    AND jaro_winkler_similarity(value, $value) > 0.8
ORDER BY jaro_winkler_similarity(value, $value) DESC, namespace, value
LIMIT 1
