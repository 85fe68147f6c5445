-- Finds months and surveys whose answers by contact before do not add up to all answers. There should be none.
SELECT
    month,
    survey,
    sum(answers) FILTER (WHERE touchpoint_before = '(all)')::BIGINT AS all_answers,
    sum(answers) FILTER (WHERE touchpoint_before <> '(all)')::BIGINT AS by_contact
FROM mart.voice_of_customer
GROUP BY ALL
HAVING
    all_answers IS DISTINCT FROM by_contact
    OR bool_or(promoters + passives + detractors <> answers)
