-- How are NPS, satisfaction and effort after each contact?
SELECT
    survey,
    touchpoint_before,
    sum(answers)::BIGINT AS answers,
    round(rate(100 * (sum(promoters) - sum(detractors)), sum(answers)), 1) AS nps,
    round(100 * rate(sum(satisfied), sum(answers)), 1) AS satisfied_percent,
    round(rate(sum(mean_score * answers), sum(answers)), 2) AS mean_score
FROM mart.voice_of_customer
WHERE touchpoint_before <> '(all)'
GROUP BY ALL
ORDER BY
    survey,
    answers DESC,
    touchpoint_before
