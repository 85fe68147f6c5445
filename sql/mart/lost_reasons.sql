-- mart.lost_reasons: Why deals and leads were lost.
--
-- Grain   object, lost_reason, currency
-- Reads   mart.sales_outcomes
-- Note    a reason is the property lost_reason of the record; money of different currencies is never added
--
-- column object: deal or lead.
-- column lost_reason: The reason; '(not given)' for none.
-- column currency: Currency of value_minor; null where the losses have no value.
-- column lost: Records lost for it.
-- column all_lost: All lost records of the kind.
-- column share: lost / all_lost.
-- column value_minor: Value lost in minor units of `currency`; null where none is known.

SELECT
    object,
    lost_reason,
    currency,
    count(*) AS lost,
    (sum(count(*)) OVER kind)::BIGINT AS all_lost,
    rate(count(*), sum(count(*)) OVER kind) AS share,
    sum(value_minor)::BIGINT AS value_minor
FROM mart.sales_outcomes
WHERE outcome = 'lost'
GROUP BY
    object,
    lost_reason,
    currency
WINDOW kind AS (PARTITION BY object)
ORDER BY
    object,
    lost DESC,
    lost_reason,
    currency
