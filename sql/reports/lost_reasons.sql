-- Why deals and leads were lost, and the value lost.
SELECT
    object,
    lost_reason,
    currency,
    lost,
    all_lost,
    lost / nullif(all_lost, 0) AS share,
    value_minor
FROM mart.lost_reasons
ORDER BY object, lost DESC, lost_reason, currency
