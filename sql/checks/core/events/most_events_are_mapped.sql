-- Warns when more than half of what customers did maps to no stage: the journey has rules to gain.
SELECT
    count(*) FILTER (WHERE stage IS NULL) AS unmapped,
    count(*) AS events
FROM core.events
WHERE
    is_counted
    AND (is_active OR stage IS NOT NULL)
HAVING count(*) FILTER (WHERE stage IS NULL) * 2 > count(*)
