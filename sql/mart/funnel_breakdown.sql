-- mart.funnel_breakdown: How many units of each group of a breakdown reach each step of a funnel.
--
-- Grain   funnel, breakdown, value, step_number
-- Reads   core.funnel_definitions, mart.funnel_entrant_groups
-- Note    a step nobody of a group reached is shown with 0; groups read at a step or over all events may share units
--
-- column funnel: Name of the funnel.
-- column breakdown: Names of the properties, joined with ' | '.
-- column value: Their values, joined with ' | '; '(not known)' where there is none.
-- column step_number: Place of the step, from 1.
-- column step_name: Name of the step.
-- column is_optional: True when the step may be skipped.
-- column reached: Counted attempts of the group that reached the step.
-- column reached_before: Counted attempts of the group that reached the last mandatory step before; null at step 1.
-- column first_reached: Counted attempts of the group that entered (step 1).
-- column step_rate: reached / reached_before.
-- column total_rate: reached / first_reached.
-- column total_rate_low: Low end of the Wilson 95 % interval of total_rate (each attempt by itself).
-- column total_rate_high: High end of the Wilson 95 % interval of total_rate.

WITH counts AS (
    SELECT
        steps.funnel,
        members.breakdown,
        members.value,
        steps.step_number,
        steps.step_name,
        steps.is_optional,
        count(*) AS entered,
        count(*) FILTER (
            WHERE members.depth >= steps.step_number
            AND (NOT steps.is_optional OR members.step_times[steps.step_number] IS NOT NULL)
        ) AS reached
    FROM core.funnel_definitions AS steps
    INNER JOIN mart.funnel_entrant_groups AS members
        ON steps.funnel = members.funnel
    WHERE members.is_counted
    GROUP BY ALL
),

walked AS (
    SELECT
        *,
        last_value(if(is_optional, NULL, reached) IGNORE NULLS) OVER before AS reached_before
    FROM counts
    WINDOW before AS (
        PARTITION BY
            funnel,
            breakdown,
            value
        ORDER BY step_number
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)

SELECT
    funnel,
    breakdown,
    value,
    step_number,
    step_name,
    is_optional,
    reached,
    reached_before,
    entered AS first_reached,
    rate(reached, reached_before) AS step_rate,
    rate(reached, entered) AS total_rate,
    wilson_low(reached, entered) AS total_rate_low,
    wilson_high(reached, entered) AS total_rate_high
FROM walked
ORDER BY
    funnel,
    breakdown,
    value,
    step_number
