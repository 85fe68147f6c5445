-- What each unit of a funnel did from its first entry to the landmark, both inclusive.
--
-- Grain   unit_id, event
-- Reads   core.events, mart.funnel_entrants

WITH firsts AS (
    SELECT
        unit_id,
        entered_at,
        entered_at + to_seconds($landmark_seconds) AS watched_to
    FROM mart.funnel_entrants
    WHERE funnel = $funnel AND is_first
),

owned AS (
    SELECT
        CASE $unit
            WHEN 'session' THEN session_id
            WHEN 'account' THEN account_id
            ELSE customer_id
        END AS unit_id,
        event,
        occurred_at
    FROM core.events
    WHERE is_counted
)

SELECT
    owned.unit_id,
    owned.event,
    count(*) AS events
FROM owned
INNER JOIN firsts
    ON owned.unit_id = firsts.unit_id
WHERE owned.occurred_at BETWEEN firsts.entered_at AND firsts.watched_to
GROUP BY
    owned.unit_id,
    owned.event
ORDER BY
    owned.unit_id,
    owned.event
