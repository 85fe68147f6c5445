-- mart.friction: Touchpoints ranked by what goes wrong there and how many customers it affects.
--
-- Grain   stage, phase, touchpoint
-- Reads   mart.segment_touchpoints
-- Note    trouble is a session without a conversion that ends at the touchpoint, an error in the session at or right
--         after it (an event whose name ends in error or failed, or the page 404), or a ticket within 24 hours after it; a
--         customer with several kinds of trouble is affected once; robots and internal traffic are left out
--
-- column rank: 1 for the touchpoint that affects most customers; ties by the share affected, then by name.
-- column stage: Stage of the touchpoint.
-- column phase: Phase within the stage; null for none.
-- column touchpoint: The kind of contact.
-- column customers: Customers who had it.
-- column affected: Of those, with any trouble.
-- column affected_rate: affected / customers.
-- column affected_rate_low: Low end of the Wilson 95 % interval of affected_rate.
-- column affected_rate_high: High end of the Wilson 95 % interval of affected_rate.
-- column sessions: Sessions in which it happened.
-- column exits: Of those, without a conversion and with this as their last mapped event.
-- column errors: Of those, with an error before the next touchpoint.
-- column converted_sessions: Of those, with a conversion.
-- column conversion_rate: converted_sessions / sessions.
-- column customers_with_ticket: Customers who opened a ticket within 24 hours after it.

SELECT
    row_number() OVER (
        ORDER BY
            affected DESC,
            customers,
            stage,
            phase,
            touchpoint
    ) AS rank,
    stage,
    phase,
    touchpoint,
    customers,
    affected,
    rate(affected, customers) AS affected_rate,
    wilson_low(affected, customers) AS affected_rate_low,
    wilson_high(affected, customers) AS affected_rate_high,
    sessions,
    lost_sessions AS exits,
    failed_sessions AS errors,
    converted_sessions,
    rate(converted_sessions, sessions) AS conversion_rate,
    customers_with_ticket
FROM mart.segment_touchpoints
WHERE segment = '(everybody)'
ORDER BY rank
