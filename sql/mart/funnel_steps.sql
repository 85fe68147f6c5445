-- mart.funnel_steps: How many units reach each step of a funnel, how many stop there, and how sure the rate is.
--
-- Grain   funnel, step_number
-- Reads   core.funnel_definitions, mart.funnel_entrants
-- Note    a step nobody reached is shown with 0; where a customer counts several times (sessions, `attempt: all`) the
--         interval is that of as many customers as the repeats are worth (effective_size)
--
-- column funnel: Name of the funnel.
-- column step_number: Place of the step, from 1.
-- column step_name: Name of the step.
-- column is_optional: True when the step may be skipped.
-- column reached: Counted attempts that reached the step.
-- column reached_before: Counted attempts that reached the last mandatory step before; null at step 1.
-- column first_reached: Counted attempts that entered (step 1).
-- column step_rate: reached / reached_before.
-- column total_rate: reached / first_reached.
-- column total_rate_low: Low end of the Wilson 95 % interval of total_rate.
-- column total_rate_high: High end of the Wilson 95 % interval of total_rate.
-- column dropped: Counted attempts that stopped here, with their window closed.
-- column open: Counted attempts that stand here, with their window still running.
-- column excluded: Counted attempts that were cut short here by an excluded event.
-- column so_far_entered: Units by their first attempt, complete or not.
-- column so_far_reached: Of those, who reached the step so far.
-- column matured_entered: Units by their first attempt whose window has closed; null without a window.
-- column matured_reached: Of those, who reached the step; null without a window.
-- column matured_rate: matured_reached / matured_entered.
-- column median_seconds_of_converters: Median time (nearest rank) from entry of the first attempts that got here.

WITH attempts AS (
    SELECT
        steps.funnel,
        steps.step_number,
        steps.step_name,
        steps.is_optional,
        steps.window_seconds,
        steps.unit = 'session' OR steps.attempt = 'all' AS repeats_customers,
        entrants.customer_id,
        entrants.status,
        entrants.is_first,
        entrants.is_counted,
        entrants.depth = steps.step_number AS stands_here,
        entrants.depth >= steps.step_number
        AND (NOT steps.is_optional OR entrants.step_times[steps.step_number] IS NOT NULL) AS is_reached,
        entrants.closes_at <= steps.horizon AS is_closed,
        (epoch_us(entrants.step_times[steps.step_number]) - epoch_us(entrants.entered_at)) // 1000000 AS seconds
    FROM core.funnel_definitions AS steps
    LEFT JOIN mart.funnel_entrants AS entrants
        ON
            steps.funnel = entrants.funnel
            AND (entrants.is_counted OR entrants.is_first)
),

counts AS (
    SELECT
        funnel,
        step_number,
        step_name,
        is_optional,
        window_seconds,
        count(*) FILTER (WHERE is_counted) AS entered,
        count(*) FILTER (WHERE is_counted AND is_reached) AS reached,
        count(*) FILTER (WHERE is_counted AND stands_here AND status = 'dropped') AS dropped,
        count(*) FILTER (WHERE is_counted AND stands_here AND status = 'open') AS still_open,
        count(*) FILTER (WHERE is_counted AND stands_here AND status = 'excluded') AS excluded,
        count(*) FILTER (WHERE is_first) AS so_far_entered,
        count(*) FILTER (WHERE is_first AND is_reached) AS so_far_reached,
        count(*) FILTER (WHERE is_first AND is_closed) AS closed_entered,
        count(*) FILTER (WHERE is_first AND is_closed AND is_reached) AS closed_reached,
        quantile_disc(seconds, 0.5) FILTER (WHERE is_first AND is_reached) AS median_seconds
    FROM attempts
    GROUP BY ALL
),

customers AS (
    SELECT
        funnel,
        step_number,
        customer_id,
        count(*) AS entered,
        count(*) FILTER (WHERE is_reached) AS reached
    FROM attempts
    WHERE
        repeats_customers
        AND is_counted
    GROUP BY ALL
),

sizes AS (
    SELECT
        funnel,
        step_number,
        effective_size(
            sum(reached),
            sum(entered),
            count(*),
            sum(reached ** 2),
            sum(reached * entered),
            sum(entered ** 2)
        ) AS size
    FROM customers
    GROUP BY ALL
),

walked AS (
    SELECT
        counts.*,
        coalesce(sizes.size, counts.entered) AS size,
        last_value(if(counts.is_optional, NULL, counts.reached) IGNORE NULLS) OVER before AS reached_before
    FROM counts
    LEFT JOIN sizes
        ON
            counts.funnel = sizes.funnel
            AND counts.step_number = sizes.step_number
    WINDOW before AS (
        PARTITION BY counts.funnel
        ORDER BY counts.step_number
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)

SELECT
    funnel,
    step_number,
    step_name,
    is_optional,
    reached,
    reached_before,
    entered AS first_reached,
    rate(reached, reached_before) AS step_rate,
    rate(reached, entered) AS total_rate,
    wilson_low(rate(reached, entered) * size, size) AS total_rate_low,
    wilson_high(rate(reached, entered) * size, size) AS total_rate_high,
    dropped,
    still_open AS open,
    excluded,
    so_far_entered,
    so_far_reached,
    if(window_seconds IS NULL, NULL, closed_entered) AS matured_entered,
    if(window_seconds IS NULL, NULL, closed_reached) AS matured_reached,
    if(window_seconds IS NULL, NULL, rate(closed_reached, closed_entered)) AS matured_rate,
    median_seconds AS median_seconds_of_converters
FROM walked
ORDER BY
    funnel,
    step_number
