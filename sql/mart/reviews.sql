-- mart.reviews: What customers say unasked: reviews and conversations with their rating and sentiment, by month and contact before.
--
-- Grain   month, event, touchpoint_before
-- Reads   core.events, ops.settings
-- Note    of events with a property rating or sentiment, and review_posted; a sentiment above 0 is positive, below 0
--         negative; ratings are of five
--
-- column month: First day of the month, in the report time zone.
-- column event: review_posted, chat_started, call_answered, …
-- column touchpoint_before: The last contact before of another kind of event; '(all)' for all, '(none)' for none before.
-- column posts: Reviews or conversations.
-- column customers: Distinct customers.
-- column rated: Those with a rating.
-- column mean_rating: Mean rating of those.
-- column low_ratings: Ratings of 2 and less.
-- column with_sentiment: Those with a sentiment.
-- column positive: Of those, positive ones.
-- column neutral: Of those, neutral ones.
-- column negative: Of those, negative ones.
-- column negative_rate: negative / with_sentiment.

WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

said AS (
    SELECT
        events.customer_id,
        events.event_number,
        events.event,
        date_trunc('month', events.occurred_at AT TIME ZONE report.time_zone)::DATE AS month,
        try_cast(events.properties ->> '$.rating' AS DECIMAL(18, 4)) AS rating,
        try_cast(events.properties ->> '$.sentiment' AS DECIMAL(18, 4)) AS sentiment
    FROM core.events AS events
    CROSS JOIN report
    WHERE
        events.is_counted
        AND (
            events.event = 'review_posted'
            OR contains(events.properties, '"sentiment"')
            OR contains(events.properties, '"rating"')
        )
),

voices AS (
    SELECT *
    FROM said
    WHERE
        event = 'review_posted'
        OR rating IS NOT NULL
        OR sentiment IS NOT NULL
),

contacts AS (
    SELECT
        events.customer_id,
        events.event_number,
        events.touchpoint
    FROM core.events AS events
    WHERE
        events.is_counted
        AND events.touchpoint IS NOT NULL
        AND events.event NOT IN (SELECT event FROM voices)
        AND events.customer_id IN (SELECT customer_id FROM voices)
),

placed AS (
    SELECT
        voices.*,
        coalesce(contacts.touchpoint, '(none)') AS touchpoint
    FROM voices
    ASOF LEFT JOIN contacts
        ON
            voices.customer_id = contacts.customer_id
            AND voices.event_number > contacts.event_number
)

SELECT
    month,
    event,
    if(grouping(touchpoint) = 1, '(all)', touchpoint) AS touchpoint_before,
    count(*) AS posts,
    count(DISTINCT customer_id) AS customers,
    count(rating) AS rated,
    round_even(sum(rating)::DOUBLE / nullif(count(rating), 0), 6) AS mean_rating,
    count(*) FILTER (WHERE rating <= 2) AS low_ratings,
    count(sentiment) AS with_sentiment,
    count(*) FILTER (WHERE sentiment > 0) AS positive,
    count(*) FILTER (WHERE sentiment = 0) AS neutral,
    count(*) FILTER (WHERE sentiment < 0) AS negative,
    rate(count(*) FILTER (WHERE sentiment < 0), count(sentiment)) AS negative_rate
FROM placed
GROUP BY GROUPING SETS ((month, event), (month, event, touchpoint))
ORDER BY
    month,
    event,
    touchpoint_before
