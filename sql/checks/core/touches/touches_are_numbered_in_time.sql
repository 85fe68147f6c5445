-- Finds touches that are numbered twice or not in order of time. There should be none.
SELECT
    customer_id,
    touch_number,
    touched_at
FROM core.touches
WINDOW walk AS (PARTITION BY customer_id ORDER BY touch_number)
QUALIFY
    touched_at < lag(touched_at) OVER walk
    OR touch_number = lag(touch_number) OVER walk
