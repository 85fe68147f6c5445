-- mart.feature_use: Which features the people of each account use, week by week.
--
-- Grain   week, account_id, feature
-- Reads   core.events, core.customers, ops.settings
-- Note    of the canonical events feature_used, named by the property feature, and login
--
-- column week: Monday of the week, in the report time zone.
-- column account_id: Account of the event, else of the customer; '(none)' for neither.
-- column feature: The feature; 'login' for a login, '(not known)' for a feature without a name.
-- column uses: How often.
-- column users: Distinct customers.
-- column uses_before: Uses in the week before; null when the feature was not used in it.
-- column mean_uses_before: Mean uses per week over the 30 weeks before, weeks without use counted as 0 since the account's first use of the feature; null in the first week.

WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

used AS (
    SELECT
        date_trunc('week', events.occurred_at AT TIME ZONE report.time_zone)::DATE AS week,
        coalesce(events.account_id, customers.account_id, '(none)') AS account_id,
        if(events.event = 'login', 'login', coalesce(events.properties ->> '$.feature', '(not known)')) AS feature,
        count(*) AS uses,
        count(DISTINCT events.customer_id) AS users
    FROM core.events AS events
    CROSS JOIN report
    LEFT JOIN core.customers AS customers
        ON events.customer_id = customers.customer_id
    WHERE
        events.is_counted
        AND events.event IN ('feature_used', 'login')
    GROUP BY ALL
)

SELECT
    week,
    account_id,
    feature,
    uses,
    users,
    if(lag(week) OVER walk = week - 7, lag(uses) OVER walk, NULL) AS uses_before,
    round_even(
        rate(sum(uses) OVER before, least(30, date_diff('week', min(week) OVER whole, week))::DOUBLE), 6
    ) AS mean_uses_before
FROM used
WINDOW
    walk AS (PARTITION BY account_id, feature ORDER BY week),
    before AS (
        PARTITION BY
            account_id,
            feature
        ORDER BY week
        RANGE BETWEEN INTERVAL 210 DAYS PRECEDING AND INTERVAL 7 DAYS PRECEDING
    ),
    whole AS (PARTITION BY account_id, feature)
ORDER BY
    week,
    account_id,
    feature
