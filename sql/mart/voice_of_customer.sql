-- mart.voice_of_customer: What customers answer when asked: NPS, CSAT and CES by month, survey and the contact before.
--
-- Grain   month, survey, touchpoint_before
-- Reads   core.events, ops.settings
-- Note    of the canonical event survey_answered with the properties survey and score; the last answer of each
--         customer, survey and month counts; answers without a number are left out
--
-- column month: First day of the month of the answer, in the report time zone.
-- column survey: nps, csat, ces or the survey's own name.
-- column touchpoint_before: The last contact before the answer; '(all)' for all answers, '(none)' for none before.
-- column answers: Customers who answered.
-- column mean_score: Mean score, of any scale; of ces it is the mean effort.
-- column promoters: Of nps, answers of 9 and 10; null for other surveys.
-- column passives: Of nps, answers of 7 and 8; null for other surveys.
-- column detractors: Of nps, answers of 0 to 6; null for other surveys.
-- column nps: 100 * (promoters - detractors) / answers; null for other surveys.
-- column satisfied: Of csat, answers of 4 and 5; null for other surveys.
-- column satisfaction_rate: satisfied / answers; null for other surveys.
-- column satisfaction_rate_low: Low end of the Wilson 95 % interval of satisfaction_rate.
-- column satisfaction_rate_high: High end of the Wilson 95 % interval of satisfaction_rate.

WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

given AS (
    SELECT
        events.customer_id,
        events.event_number,
        date_trunc('month', events.occurred_at AT TIME ZONE report.time_zone)::DATE AS month,
        lower(coalesce(events.properties ->> '$.survey', '(not known)')) AS survey,
        try_cast(events.properties ->> '$.score' AS DECIMAL(18, 4)) AS score
    FROM core.events AS events
    CROSS JOIN report
    WHERE
        events.event = 'survey_answered'
        AND events.is_counted
),

answers AS (
    SELECT *
    FROM given
    WHERE score IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY customer_id, survey, month ORDER BY event_number DESC) = 1
),

contacts AS (
    SELECT
        customer_id,
        event_number,
        touchpoint
    FROM core.events
    WHERE
        is_counted
        AND touchpoint IS NOT NULL
        AND event <> 'survey_answered'
        AND customer_id IN (SELECT customer_id FROM answers)
),

placed AS (
    SELECT
        answers.month,
        answers.survey,
        answers.score,
        coalesce(contacts.touchpoint, '(none)') AS touchpoint
    FROM answers
    ASOF LEFT JOIN contacts
        ON
            answers.customer_id = contacts.customer_id
            AND answers.event_number > contacts.event_number
),

counted AS (
    SELECT
        month,
        survey,
        if(grouping(touchpoint) = 1, '(all)', touchpoint) AS touchpoint_before,
        count(*) AS answers,
        sum(score) AS total,
        count(*) FILTER (WHERE score >= 9) AS promoters,
        count(*) FILTER (WHERE score > 6 AND score < 9) AS passives,
        count(*) FILTER (WHERE score <= 6) AS detractors,
        count(*) FILTER (WHERE score >= 4) AS satisfied
    FROM placed
    GROUP BY GROUPING SETS ((month, survey), (month, survey, touchpoint))
)

SELECT
    month,
    survey,
    touchpoint_before,
    answers,
    round_even(total::DOUBLE / answers, 6) AS mean_score,
    if(survey = 'nps', promoters, NULL) AS promoters,
    if(survey = 'nps', passives, NULL) AS passives,
    if(survey = 'nps', detractors, NULL) AS detractors,
    if(survey = 'nps', rate(100 * (promoters - detractors), answers), NULL) AS nps,
    if(survey = 'csat', satisfied, NULL) AS satisfied,
    if(survey = 'csat', rate(satisfied, answers), NULL) AS satisfaction_rate,
    if(survey = 'csat', wilson_low(satisfied, answers), NULL) AS satisfaction_rate_low,
    if(survey = 'csat', wilson_high(satisfied, answers), NULL) AS satisfaction_rate_high
FROM counted
ORDER BY
    month,
    survey,
    touchpoint_before
