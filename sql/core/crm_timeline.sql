-- Every CRM event as the timeline reads it, with a fingerprint of just that.
--
-- Grain   raw event
-- Reads   raw.crm_events, raw.crm_records
-- Note    A state of a record that names nobody has the identifiers of its record. The states of a record that another
--         one lists as merged into it, or that names the one it was merged into, are left out: that record's own states
--         stand for them. A state that a record is already in is not entered again.

CREATE OR REPLACE TEMP TABLE crm_timeline AS
WITH merged AS (
    SELECT
        source,
        object,
        record_id AS into_id,
        unnest(regexp_extract_all(properties ->> '$.merged_ids', '[^\s,;"\[\]]+')) AS record_id
    FROM raw.crm_records
    WHERE contains(properties, '"merged_ids"')
    UNION ALL
    SELECT
        source,
        properties ->> '$.merged_object' AS object,
        properties ->> '$.merged_into'   AS into_id,
        properties ->> '$.merged_id'     AS record_id
    FROM raw.crm_records
    WHERE object = 'merge'
    UNION ALL
    SELECT
        losers.source,
        losers.object,
        winners.record_id AS into_id,
        losers.record_id
    FROM raw.crm_records AS losers
    INNER JOIN raw.crm_records AS winners
        ON losers.source = winners.source
        AND losers.object = winners.object
        AND losers.properties ->> '$.merged_into' = winners.record_id
    WHERE contains(losers.properties, '"merged_into"')
),

entries AS (
    SELECT DISTINCT
        source,
        object,
        record_id,
        event_id,
        event,
        state,
        occurred_at
    FROM raw.crm_events
    WHERE
        record_id IS NOT NULL
        AND state IS NOT NULL
        AND event IN (
            'lead_stage_entered', 'lead_qualified', 'lifecycle_stage_entered', 'deal_stage_entered', 'deal_closed',
            'deal_won', 'deal_lost', 'ticket_stage_entered', 'ticket_escalated', 'ticket_reopened', 'ticket_closed'
        )
),

repeated AS (
    SELECT
        source,
        event_id
    FROM entries
    QUALIFY
        lag(event || ':' || state) OVER (
            PARTITION BY source, object, record_id
            ORDER BY occurred_at, event_id
        ) = event || ':' || state
),

states AS (
    FROM raw.crm_events
    ANTI JOIN (FROM merged WHERE record_id <> into_id)
        USING (source, object, record_id)
    ANTI JOIN repeated
        USING (source, event_id)
),

nameless AS (
    FROM states
    WHERE coalesce(user_id, crm_contact_id, crm_lead_id, email, phone, anonymous_id, device_id) IS NULL
),

events AS (
    SELECT *
    FROM states
    WHERE coalesce(user_id, crm_contact_id, crm_lead_id, email, phone, anonymous_id, device_id) IS NOT NULL
    UNION ALL
    SELECT nameless.* REPLACE (
        records.user_id        AS user_id,
        records.crm_contact_id AS crm_contact_id,
        records.crm_lead_id    AS crm_lead_id,
        records.email          AS email,
        records.phone          AS phone,
        records.anonymous_id   AS anonymous_id,
        records.device_id      AS device_id,
        coalesce(nameless.account_id, records.account_id) AS account_id
    )
    FROM nameless
    LEFT JOIN raw.crm_records AS records
        USING (source, object, record_id)
)

SELECT
    * EXCLUDE (clock_source, is_clamped, row_key, file_id, row),
    hash(*COLUMNS(* EXCLUDE (clock_source, is_clamped, row_key, file_id, row))) AS fingerprint,
    false                                                                       AS is_web
FROM events
