-- Finds reviews whose sentiments do not add up. There should be none.
SELECT
    month,
    event,
    touchpoint_before,
    with_sentiment,
    positive,
    neutral,
    negative
FROM mart.reviews
WHERE
    with_sentiment <> positive + neutral + negative
    OR with_sentiment > posts
    OR rated > posts
