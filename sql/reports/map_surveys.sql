-- Answers to surveys by the stage they speak of, that of the customer's last contact before the answer (their own where there was none): the
-- last answer of each customer to each survey. Of everybody where the variable `segment` says (everybody), else of the customers of that segment.
WITH answers AS (
    SELECT
        customer_id,
        event_number,
        stage,
        coalesce(properties ->> 'survey', '(no name)') AS survey,
        try_cast(properties ->> 'score' AS DOUBLE) AS score
    FROM core.events
    WHERE
        event = 'survey_answered'
        AND is_counted
        AND (
            getvariable('segment') = '(everybody)'
            OR customer_id IN (SELECT customer_id FROM core.customer_segments WHERE segment = getvariable('segment'))
        )
),

last_answers AS (
    SELECT *
    FROM answers
    WHERE score IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY customer_id, survey ORDER BY event_number DESC) = 1
),

contacts AS (
    SELECT
        customer_id,
        event_number,
        stage
    FROM core.events
    WHERE
        is_counted
        AND stage IS NOT NULL
        AND event <> 'survey_answered'
        AND customer_id IN (SELECT customer_id FROM last_answers)
),

placed AS (
    SELECT
        coalesce(contacts.stage, last_answers.stage) AS stage,
        last_answers.survey,
        last_answers.score
    FROM last_answers
    ASOF LEFT JOIN contacts
        ON
            last_answers.customer_id = contacts.customer_id
            AND last_answers.event_number > contacts.event_number
)

SELECT
    stage,
    survey,
    count(*) AS answers,
    avg(score) AS mean_score,
    sum(score * score) AS squares,
    count(*) FILTER (WHERE score >= 9) AS nine_or_more,
    count(*) FILTER (WHERE score <= 6) AS six_or_less,
    count(*) FILTER (WHERE score >= 4) AS four_or_more
FROM placed
WHERE stage IS NOT NULL
GROUP BY ALL
ORDER BY
    stage,
    survey
