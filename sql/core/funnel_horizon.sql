-- The horizon of a funnel, as of the night that was published.
SELECT min(horizon) AS horizon
FROM core.funnel_definitions
WHERE funnel = $funnel
