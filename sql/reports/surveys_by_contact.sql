-- What customers answered by the contact that they had had right before, over all months.
SELECT
    survey,
    touchpoint_before,
    sum(answers)::BIGINT AS answers,
    sum(mean_score * answers) / nullif(sum(answers), 0) AS mean_score,
    sum(promoters)::BIGINT AS promoters,
    sum(detractors)::BIGINT AS detractors,
    sum(satisfied)::BIGINT AS satisfied
FROM mart.voice_of_customer
WHERE touchpoint_before != '(all)'
GROUP BY ALL
ORDER BY survey, answers DESC, touchpoint_before
