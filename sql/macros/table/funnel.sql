-- funnel(funnel_name, from_day, to_day): a funnel of the entries on the days [from_day, to_day] (report time zone).
--
-- Grain   step_number
-- Reads   core.funnel_definitions, mart.funnel_entrants
-- Note    a unit counts by its best attempt of the range (deepest, most optional steps, earliest, smallest event key),
--         its first with `attempt: first`, each with `attempt: all`; steps nobody reached are shown with 0
CREATE OR REPLACE MACRO funnel(funnel_name, from_day, to_day) AS TABLE
    WITH steps AS (
        SELECT
            *,
            count(*) FILTER (WHERE NOT is_optional) OVER (ORDER BY step_number) AS mandatory_steps
        FROM core.funnel_definitions
        WHERE funnel = funnel_name
    ),

    attempts AS (
        SELECT
            entrants.unit_id,
            entrants.customer_id,
            entrants.depth,
            entrants.status,
            entrants.step_times,
            deepest.attempt,
            row_number() OVER (
                PARTITION BY entrants.unit_id
                ORDER BY
                    if(deepest.attempt = 'best', deepest.mandatory_steps, 0) DESC,
                    if(deepest.attempt = 'best', list_count(entrants.step_times), 0) DESC,
                    entrants.entered_at,
                    entrants.entry_source,
                    entrants.entry_event_id
            ) AS place
        FROM mart.funnel_entrants AS entrants
        INNER JOIN steps AS deepest
            ON entrants.depth = deepest.step_number
        WHERE
            entrants.funnel = funnel_name
            AND entrants.entry_day BETWEEN from_day AND to_day
            AND CASE deepest.attempt
                WHEN 'all' THEN entrants.is_counted
                WHEN 'first' THEN entrants.is_first_of_day
                ELSE entrants.is_best_of_day
            END
    ),

    counted AS (
        SELECT *
        FROM attempts
        WHERE place = 1 OR attempt = 'all'
    ),

    per_customer AS (
        SELECT
            steps.step_number,
            counted.customer_id,
            count(*) AS entered,
            count(*) FILTER (
                WHERE counted.depth >= steps.step_number
                AND (NOT steps.is_optional OR counted.step_times[steps.step_number] IS NOT NULL)
            ) AS reached,
            count(*) FILTER (WHERE counted.depth = steps.step_number AND counted.status = 'dropped') AS dropped,
            count(*) FILTER (WHERE counted.depth = steps.step_number AND counted.status = 'open') AS still_open,
            count(*) FILTER (WHERE counted.depth = steps.step_number AND counted.status = 'excluded') AS excluded
        FROM steps
        CROSS JOIN counted
        GROUP BY ALL
    ),

    counts AS (
        SELECT
            steps.step_number,
            steps.step_name,
            steps.is_optional,
            coalesce(sum(per_customer.entered), 0)::BIGINT AS entered,
            coalesce(sum(per_customer.reached), 0)::BIGINT AS reached,
            coalesce(sum(per_customer.dropped), 0)::BIGINT AS dropped,
            coalesce(sum(per_customer.still_open), 0)::BIGINT AS still_open,
            coalesce(sum(per_customer.excluded), 0)::BIGINT AS excluded,
            effective_size(
                sum(per_customer.reached),
                sum(per_customer.entered),
                count(per_customer.customer_id),
                sum(per_customer.reached ** 2),
                sum(per_customer.reached * per_customer.entered),
                sum(per_customer.entered ** 2)
            ) AS size
        FROM steps
        LEFT JOIN per_customer
            ON steps.step_number = per_customer.step_number
        GROUP BY ALL
    ),

    walked AS (
        SELECT
            *,
            last_value(if(is_optional, NULL, reached) IGNORE NULLS) OVER before AS reached_before
        FROM counts
        WINDOW before AS (ORDER BY step_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )

    SELECT
        step_number,
        step_name,
        is_optional,
        reached,
        reached_before,
        entered,
        rate(reached, reached_before) AS step_rate,
        rate(reached, entered) AS total_rate,
        wilson_low(rate(reached, entered) * size, size) AS total_rate_low,
        wilson_high(rate(reached, entered) * size, size) AS total_rate_high,
        dropped,
        still_open AS open,
        excluded
    FROM walked
    ORDER BY step_number
