-- What customers answered in each month: the last answer of a customer, survey and month.
SELECT
    survey,
    month,
    answers,
    mean_score,
    promoters,
    passives,
    detractors,
    nps,
    satisfied,
    satisfaction_rate
FROM mart.voice_of_customer
WHERE touchpoint_before = '(all)'
ORDER BY survey, month
