-- After which contacts is the sentiment of reviews and conversations negative?
SELECT
    touchpoint_before,
    sum(posts)::BIGINT AS posts,
    sum(negative)::BIGINT AS negative,
    sum(with_sentiment)::BIGINT AS with_sentiment,
    round(100 * rate(sum(negative), sum(with_sentiment)), 1) AS negative_percent,
    sum(low_ratings)::BIGINT AS low_ratings,
    sum(rated)::BIGINT AS rated
FROM mart.reviews
WHERE touchpoint_before <> '(all)'
GROUP BY touchpoint_before
ORDER BY
    negative DESC,
    low_ratings DESC,
    touchpoint_before
