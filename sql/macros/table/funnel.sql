-- funnel(funnel_name, from_day, to_day): a funnel of the entries on the days [from_day, to_day] (report time zone).
--
-- Grain   step_number
-- Reads   core.funnel_definitions, mart.funnel_entrants
-- Note    a unit counts by its best attempt of the range (deepest, most optional steps, earliest, smallest event key),
--         its first with `attempt: first`, each with `attempt: all`; steps nobody reached are shown with 0.
--         A unit stands as of the funnel's horizon, by its attempts of the range: it is open while one of them may go on.
--         What is stored does not tell everything: a best attempt says open for its unit, so that one cut short by an
--         exclusion is shown as dropped (or open) where its unit came back after the range; and `attempt: all` is
--         scanned from the first entry, not from the range's. For these ask `journeys funnel NAME --from --to`
CREATE OR REPLACE MACRO funnel(funnel_name, from_day, to_day) AS TABLE
    WITH steps AS (
        SELECT
            *,
            count(*) FILTER (WHERE NOT is_optional) OVER (ORDER BY step_number) AS mandatory_steps
        FROM core.funnel_definitions
        WHERE funnel = funnel_name
    ),

    stored AS (
        SELECT
            entrants.*,
            deepest.attempt,
            deepest.mandatory_steps,
            entrants.entry_day BETWEEN from_day AND to_day AS is_in_range,
            entrants.status = 'open'
            AND (
                coalesce(entrants.closes_at > deepest.horizon, TRUE)
                OR (deepest.attempt = 'best' AND NOT entrants.is_best)
            ) AS goes_on
        FROM mart.funnel_entrants AS entrants
        INNER JOIN steps AS deepest
            ON entrants.depth = deepest.step_number
        WHERE entrants.funnel = funnel_name
    ),

    units AS (
        SELECT
            unit_id,
            bool_or(is_in_range AND goes_on)
            OR (bool_or(is_in_range AND is_best AND status = 'open') AND NOT bool_or(goes_on)) AS goes_on
        FROM stored
        GROUP BY unit_id
    ),

    attempts AS (
        SELECT
            stored.unit_id,
            stored.customer_id,
            stored.depth,
            stored.step_times,
            stored.attempt,
            CASE
                WHEN stored.status = 'converted' THEN 'converted'
                WHEN if(stored.attempt = 'best', units.goes_on, stored.goes_on) THEN 'open'
                WHEN stored.status = 'open' THEN 'dropped'
                ELSE stored.status
            END AS status,
            row_number() OVER (
                PARTITION BY stored.unit_id
                ORDER BY
                    if(stored.attempt = 'best', stored.mandatory_steps, 0) DESC,
                    if(stored.attempt = 'best', list_count(stored.step_times), 0) DESC,
                    stored.entered_at,
                    stored.entry_source,
                    stored.entry_event_id
            ) AS place
        FROM stored
        INNER JOIN units
            ON stored.unit_id = units.unit_id
        WHERE
            stored.is_in_range
            AND CASE stored.attempt
                WHEN 'all' THEN stored.is_counted
                WHEN 'first' THEN stored.is_first_of_day
                ELSE stored.is_best_of_day
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
