-- mart.stuck_customers: Who has been in a stage longer than nine in ten of those who left it.
--
-- Grain   customer_id
-- Reads   core.stage_entries, core.customers, mart.horizons
-- Note    the usual stay is the 90th percentile by nearest rank over all stays that ended, of any customer; time runs to
--         the horizon of the journey
--
-- column customer_id: The customer.
-- column account_id: Account of the customer; null for none.
-- column stage: The stage the customer is in.
-- column touchpoint: Touchpoint that brought the customer there; null for none.
-- column entered_at: Since when.
-- column days_in_stage: Days from then to the horizon.
-- column usual_days: Days within which nine in ten of those who left the stage had left it.
-- column stays_that_ended: Stays that the usual days are taken from; few say little.
-- column last_seen_at: Time of the customer's last event.

WITH complete AS (
    SELECT min(horizon) AS horizon
    FROM mart.horizons
    WHERE is_in_journey
),

stays AS (
    SELECT
        stage,
        quantile_disc(epoch_us(left_at) - epoch_us(entered_at), 0.9) AS usual_us,
        count(*) AS stays_that_ended
    FROM core.stage_entries
    WHERE left_at IS NOT NULL
    GROUP BY stage
)

SELECT
    entries.customer_id,
    customers.account_id,
    entries.stage,
    entries.touchpoint,
    entries.entered_at,
    round_even((epoch_us(complete.horizon) - epoch_us(entries.entered_at)) / 86400000000, 6) AS days_in_stage,
    round_even(stays.usual_us / 86400000000, 6) AS usual_days,
    stays.stays_that_ended,
    customers.last_seen_at
FROM core.stage_entries AS entries
CROSS JOIN complete
INNER JOIN stays
    ON entries.stage = stays.stage
LEFT JOIN core.customers AS customers
    ON entries.customer_id = customers.customer_id
WHERE
    entries.left_at IS NULL
    AND epoch_us(complete.horizon) - epoch_us(entries.entered_at) > stays.usual_us
ORDER BY
    entries.entered_at,
    entries.customer_id
