-- Identifiers that rows gave and that name nobody, so that they stitch nobody.
SELECT
    source,
    namespace,
    value_class,
    rows,
    files
FROM mart.identity_blocked
ORDER BY rows DESC, source, namespace, value_class
