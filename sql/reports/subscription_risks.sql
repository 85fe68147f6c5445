-- What puts subscriptions that go on at risk; one may be at risk for several reasons.
WITH going_on AS (
    SELECT risks
    FROM mart.subscriptions
    WHERE status IN ('trial', 'active', 'paused')
),

named AS (
    SELECT
        trim(risk) AS risk,
        count(*) AS subscriptions
    FROM going_on, unnest(string_split(risks, ',')) AS parts (risk)
    WHERE trim(risk) != ''
    GROUP BY trim(risk)
)

SELECT
    risk,
    subscriptions,
    (SELECT count(*) FROM going_on) AS of_subscriptions,
    subscriptions / nullif((SELECT count(*) FROM going_on), 0) AS share
FROM named
ORDER BY subscriptions DESC, risk
