-- The figures that alerts may ask for.
--
-- Grain   metric, subject
-- Reads   mart.funnel_change_steps, mart.kpis, ops.balances

SELECT
    'funnel_rate'                             AS metric,
    funnel                                    AS subject,
    arg_max(reached_after, step_number)       AS numerator,
    any_value(entered_after)                  AS denominator
FROM mart.funnel_change_steps
GROUP BY funnel
UNION ALL
SELECT 'kpi', stage || '.' || metric, numerator, denominator
FROM mart.kpis
UNION ALL
SELECT 'quarantined_share', source, sum(quarantined)::BIGINT, sum(rows_in)::BIGINT
FROM ops.balances
GROUP BY source
ORDER BY metric, subject
