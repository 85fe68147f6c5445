-- What customers say unasked, over all months: reviews and conversations with their rating and sentiment.
SELECT
    event,
    sum(posts)::BIGINT AS posts,
    sum(rated)::BIGINT AS rated,
    sum(mean_rating * rated) / nullif(sum(rated), 0) AS mean_rating,
    sum(low_ratings)::BIGINT AS low_ratings,
    sum(with_sentiment)::BIGINT AS with_sentiment,
    sum(positive)::BIGINT AS positive,
    sum(neutral)::BIGINT AS neutral,
    sum(negative)::BIGINT AS negative
FROM mart.reviews
WHERE touchpoint_before = '(all)'
GROUP BY ALL
ORDER BY posts DESC, event
