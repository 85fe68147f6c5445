-- The step of the first funnel before which most units stop.
WITH first_funnel AS (
    SELECT min(funnel) AS funnel
    FROM core.funnel_definitions
    WHERE step_order = 'ordered' AND unit = 'customer' AND funnel ILIKE '%checkout%'
)

SELECT
    steps.funnel,
    steps.step_name,
    steps.reached,
    steps.reached_before
FROM mart.funnel_steps AS steps
INNER JOIN first_funnel ON first_funnel.funnel = steps.funnel
WHERE steps.reached_before > 0 AND NOT steps.is_optional
ORDER BY steps.reached_before - steps.reached DESC, steps.step_number
LIMIT 1
