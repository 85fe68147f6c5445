-- Finds touches that are numbered twice or not in order of time. There should be none.
-- A date without a time is midnight and follows that day's timed events, so time may go back within one day.
SELECT
    customer_id,
    touch_number,
    touched_at
FROM core.touches
WINDOW walk AS (PARTITION BY customer_id ORDER BY touch_number)
QUALIFY
    touched_at <= lag(touched_at) OVER walk - INTERVAL 25 HOUR
    OR touch_number = lag(touch_number) OVER walk
