-- consented_events(consent): the events of customers who had said yes, at the event or before, in the property `consent`.
--
-- Grain   event
-- Reads   core.events
-- Note    what was said last counts, so a consent that was withdrawn ends with the event that says so; who never said anything has
--         not consented
CREATE OR REPLACE MACRO consented_events(consent) AS TABLE
    WITH statements AS (
        SELECT
            customer_id,
            event_number,
            says_yes(properties ->> consent) AS is_given
        FROM core.events
        WHERE properties ->> consent IS NOT NULL
    )

    SELECT events.*
    FROM core.events AS events
    ASOF INNER JOIN statements
        ON
            events.customer_id = statements.customer_id
            AND events.event_number >= statements.event_number
    WHERE statements.is_given
    ORDER BY
        events.customer_id,
        events.event_number
