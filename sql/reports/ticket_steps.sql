-- The way of tickets from opened to resolved, of all and by channel and category: how many came to each step, of those that could, and how
-- long after the opening: the time by which a quarter, half and three quarters of those that could had come there, those that never do counted
-- too. A first answer and a hand-off are asked of sources that tell of them; reopened can be what was resolved before.
WITH steps AS (
    SELECT
        customer_id,
        channel,
        coalesce(category, '(not known)') AS category,
        unnest([
            {'step_number': 1, 'step': 'opened', 'can': TRUE, 'did': TRUE, 'seconds': 0},
            {
                'step_number': 2,
                'step': 'first answer',
                'can': is_reply_told,
                'did': first_reply_at IS NOT NULL,
                'seconds': date_diff('second', opened_at, first_reply_at)
            },
            {'step_number': 3, 'step': 'handed on', 'can': is_hand_off_told, 'did': hand_offs > 0, 'seconds': NULL},
            {
                'step_number': 4,
                'step': 'resolved',
                'can': TRUE,
                'did': closed_at IS NOT NULL,
                'seconds': date_diff('second', opened_at, closed_at)
            },
            {
                'step_number': 5,
                'step': 'reopened',
                'can': closed_at IS NOT NULL OR is_reopened,
                'did': is_reopened,
                'seconds': NULL
            }
        ], recursive := TRUE)
    FROM mart.service_contacts
    WHERE kind = 'ticket'
),

split AS (
    SELECT
        *,
        unnest([
            {'split': 'all', 'value': '(all)'}, {'split': 'channel', 'value': channel}, {'split': 'category', 'value': category}
        ], recursive := TRUE)
    FROM steps
)

SELECT
    split,
    value,
    step_number,
    step,
    count(*) FILTER (WHERE did) AS tickets,
    count(*) FILTER (WHERE can) AS of_tickets,
    count(DISTINCT customer_id) FILTER (WHERE did) AS customers,
    nullif(quantile_disc(coalesce(seconds, 9223372036854775807), 0.25) FILTER (WHERE can), 9223372036854775807) AS quarter_seconds,
    nullif(quantile_disc(coalesce(seconds, 9223372036854775807), 0.5) FILTER (WHERE can), 9223372036854775807) AS median_seconds,
    nullif(quantile_disc(coalesce(seconds, 9223372036854775807), 0.75) FILTER (WHERE can), 9223372036854775807) AS three_quarter_seconds
FROM split
GROUP BY ALL
ORDER BY split, value, step_number
