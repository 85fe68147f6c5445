-- The sources that were read before, and by which rules.
SELECT
    source,
    any_value(rule_version) AS rule_version
FROM (
    SELECT
        source,
        rule_version
    FROM raw.sources

    UNION ALL

    SELECT DISTINCT
        source,
        NULL
    FROM raw.files
) AS known
GROUP BY source
ORDER BY source
