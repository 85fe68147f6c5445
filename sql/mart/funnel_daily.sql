-- mart.funnel_daily: Who entered a funnel on each day, and how many of them converted.
--
-- Grain   funnel, entry_day
-- Reads   core.funnel_definitions, mart.funnel_entrants, ops.settings
-- Note    a unit counts on each day on which it entered, by the best attempt of that day: days do not add up to the
--         period; days without entrants are shown with 0
--
-- column funnel: Name of the funnel.
-- column entry_day: Day of entry in the report time zone.
-- column entrants: Units that entered on that day.
-- column converted: Of those, who reached the last step from an entry of that day.
-- column conversion_rate: converted / entrants.
-- column conversion_rate_low: Low end of the Wilson 95 % interval of conversion_rate.
-- column conversion_rate_high: High end of the Wilson 95 % interval of conversion_rate.
-- column open: Of the entrants, whose window still runs.
-- column is_mature: True when the day is over and the window of each of its entrants has closed.

WITH report AS (
    SELECT coalesce(max(value) FILTER (WHERE name = 'time_zone'), 'UTC') AS time_zone
    FROM ops.settings
),

funnels AS (
    SELECT
        definitions.funnel,
        any_value(definitions.attempt) AS attempt,
        any_value(definitions.horizon) AS horizon,
        any_value(definitions.horizon AT TIME ZONE report.time_zone) AS local_horizon
    FROM core.funnel_definitions AS definitions
    CROSS JOIN report
    GROUP BY definitions.funnel
),

entries AS (
    SELECT
        funnels.funnel,
        entrants.entry_day,
        count(*) AS entrants,
        count(*) FILTER (WHERE entrants.status = 'converted') AS converted,
        count(*) FILTER (WHERE entrants.status = 'open') AS still_open,
        coalesce(bool_and(coalesce(entrants.closes_at <= funnels.horizon, FALSE)), TRUE) AS is_closed
    FROM funnels
    INNER JOIN mart.funnel_entrants AS entrants
        ON funnels.funnel = entrants.funnel
    WHERE
        CASE funnels.attempt
            WHEN 'all' THEN entrants.is_counted
            WHEN 'first' THEN entrants.is_first_of_day
            ELSE entrants.is_best_of_day
        END
    GROUP BY ALL
),

bounds AS (
    SELECT
        funnels.funnel,
        funnels.local_horizon,
        min(entries.entry_day) AS first_day,
        greatest(max(entries.entry_day), any_value(funnels.local_horizon)::DATE) AS last_day
    FROM funnels
    INNER JOIN entries
        ON funnels.funnel = entries.funnel
    GROUP BY ALL
),

days AS (
    SELECT
        funnel,
        local_horizon,
        unnest(generate_series(first_day, last_day, INTERVAL 1 DAY))::DATE AS entry_day
    FROM bounds
)

SELECT
    days.funnel,
    days.entry_day,
    coalesce(entries.entrants, 0) AS entrants,
    coalesce(entries.converted, 0) AS converted,
    rate(entries.converted, entries.entrants) AS conversion_rate,
    wilson_low(entries.converted, entries.entrants) AS conversion_rate_low,
    wilson_high(entries.converted, entries.entrants) AS conversion_rate_high,
    coalesce(entries.still_open, 0) AS open,
    coalesce(days.entry_day + INTERVAL 1 DAY <= days.local_horizon, FALSE)
    AND coalesce(entries.is_closed, TRUE) AS is_mature
FROM days
LEFT JOIN entries
    ON
        days.funnel = entries.funnel
        AND days.entry_day = entries.entry_day
ORDER BY
    days.funnel,
    days.entry_day
