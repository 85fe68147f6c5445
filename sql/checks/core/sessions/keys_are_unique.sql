-- Finds sessions that are listed twice. There should be none.
SELECT
    session_id,
    count(*) AS times
FROM core.sessions
GROUP BY session_id
HAVING count(*) > 1
