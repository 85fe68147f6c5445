-- What customers ask in each stage: words they search for on the site, and help pages they read (paths that begin with help, faq, support, docs
-- or kb); of three customers or more, for what only one or two have typed may be about them.
WITH asked AS (
    SELECT
        customer_id,
        stage,
        CASE WHEN contains(event, 'search') THEN 'search' ELSE 'help' END AS kind,
        CASE
            WHEN contains(event, 'search')
                THEN lower(trim(coalesce(
                    properties ->> '$.query', properties ->> '$.search_term', properties ->> '$.term', properties ->> '$.q'
                )))
            ELSE path
        END AS question
    FROM core.events
    WHERE
        is_counted
        AND stage IS NOT NULL
        AND (contains(event, 'search') OR regexp_matches(path, '^/(help|faq|support|docs|kb)(/|$)'))
)

SELECT
    stage,
    kind,
    question,
    count(*) AS events,
    count(DISTINCT customer_id) AS customers
FROM asked
WHERE question <> ''
GROUP BY ALL
HAVING count(DISTINCT customer_id) >= 3
ORDER BY stage, customers DESC, kind, question
