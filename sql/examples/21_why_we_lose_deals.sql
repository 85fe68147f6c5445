-- Why did prospects say no, and what was lost with it?
SELECT
    object,
    lost_reason,
    lost,
    all_lost,
    round(100 * share, 1) AS percent,
    value_minor,
    currency
FROM mart.lost_reasons
ORDER BY
    object,
    lost DESC,
    lost_reason,
    currency
