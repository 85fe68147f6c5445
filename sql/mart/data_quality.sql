-- mart.data_quality: Where every landed row of each source went, and how many events are left with and without robots.
--
-- Grain   source
-- Reads   core.events, ops.balances
--
-- column source: Name of the source in journey.yaml.
-- column files: Files landed.
-- column rows_in: Physical rows in them; the outcomes below add up to it.
-- column loaded: Rows that became an event or a record.
-- column duplicate: Rows that say again what a loaded row says.
-- column conflict: Rows with the key of a loaded row and another content.
-- column superseded: Older versions of a record.
-- column quarantined: Rows that could not be read.
-- column suppressed: Rows of an erased person.
-- column blank: Empty rows.
-- column quarantined_rate: quarantined / rows_in.
-- column events: Events in core.events, robots and internal traffic included.
-- column robot_events: Of those, of robots.
-- column internal_events: Of those, of the business itself and no robot.
-- column counted_events: Events that sessions and funnels count.
-- column unmapped_events: Of the counted events, those without a stage.
-- column first_event_at: Time of the first event.
-- column last_event_at: Time of the last event.

WITH books AS (
    SELECT
        source,
        count(*) AS files,
        sum(rows_in)::BIGINT AS rows_in,
        sum(loaded)::BIGINT AS loaded,
        sum(duplicate)::BIGINT AS duplicate,
        sum(conflict)::BIGINT AS conflict,
        sum(superseded)::BIGINT AS superseded,
        sum(quarantined)::BIGINT AS quarantined,
        sum(suppressed)::BIGINT AS suppressed,
        sum(blank)::BIGINT AS blank
    FROM ops.balances
    GROUP BY source
),

timeline AS (
    SELECT
        source,
        count(*) AS events,
        count(*) FILTER (WHERE is_bot) AS robot_events,
        count(*) FILTER (WHERE is_internal AND NOT coalesce(is_bot, FALSE)) AS internal_events,
        count(*) FILTER (WHERE is_counted) AS counted_events,
        count(*) FILTER (WHERE is_counted AND stage IS NULL) AS unmapped_events,
        min(occurred_at) AS first_event_at,
        max(occurred_at) AS last_event_at
    FROM core.events
    GROUP BY source
)

SELECT
    coalesce(books.source, timeline.source) AS source,
    coalesce(books.files, 0) AS files,
    coalesce(books.rows_in, 0) AS rows_in,
    coalesce(books.loaded, 0) AS loaded,
    coalesce(books.duplicate, 0) AS duplicate,
    coalesce(books.conflict, 0) AS conflict,
    coalesce(books.superseded, 0) AS superseded,
    coalesce(books.quarantined, 0) AS quarantined,
    coalesce(books.suppressed, 0) AS suppressed,
    coalesce(books.blank, 0) AS blank,
    rate(books.quarantined, books.rows_in) AS quarantined_rate,
    coalesce(timeline.events, 0) AS events,
    coalesce(timeline.robot_events, 0) AS robot_events,
    coalesce(timeline.internal_events, 0) AS internal_events,
    coalesce(timeline.counted_events, 0) AS counted_events,
    coalesce(timeline.unmapped_events, 0) AS unmapped_events,
    timeline.first_event_at,
    timeline.last_event_at
FROM books
FULL JOIN timeline
    ON books.source = timeline.source
ORDER BY source
