"""Contracts: what every table of the warehouse is, column by column, said once.

The same declaration types the frames, comments the tables in DuckDB, fills Dagster's catalog and prints the data dictionary.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

TIME = pl.Datetime("us", "UTC")
KEY = pl.UInt64


class ContractError(ValueError):
    """A frame does not hold what its table promises."""


@dataclass(frozen=True)
class Column:
    """One column: its name, its Polars type and a sentence that says what it holds (unit, zone, what null means)."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    sentence: str


@dataclass(frozen=True)
class Table:
    """One table: schema-qualified name, a sentence, what a row is (grain), and its columns in order."""

    name: str
    sentence: str
    grain: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Column names and Polars types, in order."""
        return {column.name: column.dtype for column in self.columns}

    def empty(self) -> pl.DataFrame:
        """The table without rows."""
        return pl.DataFrame(schema=self.schema)

    def conform(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The frame with just the columns of the table, in order and type; a missing column is filled with null."""
        present = set(frame.collect_schema().names())
        return frame.select(
            (pl.col(name) if name in present else pl.lit(None)).cast(dtype).alias(name)
            for name, dtype in self.schema.items()
        )

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame itself when it holds exactly these columns, in this order and of these types.

        Raises ContractError naming every column that differs.
        """
        found = dict(frame.schema)
        problems = [f"{name}: not part of the table" for name in found if name not in self.schema]
        for name, dtype in self.schema.items():
            if name not in found:
                problems.append(f"{name}: expected {dtype}, found no such column")
            elif found[name] != dtype:
                problems.append(f"{name}: expected {dtype}, found {found[name]}")
        if problems:
            lines = "\n".join(f"  {problem}" for problem in problems)
            raise ContractError(f"{self.name} breaks its contract in transforms/contracts.py:\n{lines}")
        return frame.select(list(self.schema))


def _c(name: str, dtype: pl.DataType | type[pl.DataType], sentence: str) -> Column:
    return Column(name, dtype, sentence)


# ---------------------------------------------------------------- raw: what landed

IDENTIFIER_COLUMNS = (
    _c("anonymous_id", pl.String, "Identifier of the browser (visitor), as the source gives it."),
    _c("device_id", pl.String, "Identifier of the device (visitor), as the source gives it."),
    _c("user_id", pl.String, "Identifier of the logged-in user."),
    _c("crm_contact_id", pl.String, "Identifier of the CRM contact."),
    _c("crm_lead_id", pl.String, "Identifier of the CRM lead."),
    _c("email", pl.String, "E-mail address: HMAC-SHA256 of the normalised address, never the address."),
    _c("phone", pl.String, "Phone number: HMAC-SHA256 of the E.164 number, never the number."),
    _c("account_id", pl.String, "Company the event belongs to; groups customers, never merges them."),
)
IDENTIFIERS = tuple(column.name for column in IDENTIFIER_COLUMNS if column.name != "account_id")
VISITOR_NAMESPACES = ("anonymous_id", "device_id")

EVENT_CLOCK_COLUMNS = (
    _c("occurred_at", TIME, "When it happened (UTC), after correction of the sender's clock."),
    _c("time_precision", pl.String, "'instant', or 'day' for a date without a time (local midnight)."),
    _c("seq", pl.Int64, "Order among events of one instant, where the source carries one."),
    _c("received_at", TIME, "When the source's server received it; null where unknown."),
    _c("clock_source", pl.String, "Where occurred_at comes from: corrected, declared, created_at, received_at."),
    _c("is_clamped", pl.Boolean, "True where the time lay after received_at and was set to it."),
)

WEB_COLUMNS = (
    _c("visit_id", pl.String, "The source's own session id; used when sessions are 'given'."),
    _c("hostname", pl.String, "Host of the page."),
    _c("path", pl.String, "Path of the page, without query."),
    _c("title", pl.String, "Title of the page."),
    _c("referrer", pl.String, "Address of the page before, without query."),
    _c("utm_source", pl.String, "Traffic source given by the address or the source."),
    _c("utm_medium", pl.String, "Traffic medium given by the address or the source."),
    _c("utm_campaign", pl.String, "Campaign given by the address or the source."),
    _c("utm_term", pl.String, "Search or ad term given by the address or the source."),
    _c("utm_content", pl.String, "Ad variant given by the address or the source."),
    _c(
        "click_id",
        pl.String,
        "Name of the ad click parameter in the address (gclid, fbclid, msclkid, …), never its value.",
    ),
    _c("given_channel", pl.String, "Channel the source declares, where it is authoritative."),
    _c("device", pl.String, "Kind of device: desktop, mobile, tablet, …"),
    _c("browser", pl.String, "Browser family."),
    _c("country", pl.String, "Country."),
    _c("is_bot", pl.Boolean, "True for a robot; kept, left out of sessions and funnels."),
    _c("is_internal", pl.Boolean, "True for the business's own traffic; kept, left out of sessions and funnels."),
)

CRM_COLUMNS = (
    _c("object", pl.String, "CRM object: contact, lead, deal, ticket, survey, subscription, …; null for web events."),
    _c("record_id", pl.String, "Id of the CRM record."),
    _c("state", pl.String, "State that the record entered: a deal stage, a ticket status, …"),
)

VALUE_COLUMNS = (
    _c("value_minor", pl.Int64, "Money of the event in minor units of its currency (cents); returns are negative."),
    _c("currency", pl.String, "ISO 4217 code of value_minor."),
    _c("properties", pl.String, "Everything else the source says, a JSON object as text; null when there is nothing."),
)

PROVENANCE_COLUMNS = (
    _c("row_key", KEY, "XXH3-64 of (source, row id): which physical rows say the same thing."),
    _c("file_id", pl.String, "File that the loaded row came from."),
    _c("row", pl.Int64, "Row in that file, from 1."),
)

EVENT_KEY_COLUMNS = (
    _c("source", pl.String, "Name of the source in journey.yaml."),
    _c("event_id", pl.String, "Id of the event within its source; with it the key of the event."),
    _c("event", pl.String, "What happened: page_view, add_to_cart, order_placed, deal_stage_entered, …"),
)

CANONICAL = (
    *EVENT_KEY_COLUMNS,
    *EVENT_CLOCK_COLUMNS,
    *IDENTIFIER_COLUMNS,
    *WEB_COLUMNS,
    *CRM_COLUMNS,
    *VALUE_COLUMNS,
    *PROVENANCE_COLUMNS,
)

RAW_FILES = Table(
    "raw.files",
    "Every file that landed, known by its content; the same content under another name is one file.",
    ("file_id",),
    (
        _c("file_id", pl.String, "First 16 hexadecimal digits of the SHA-256 of the file's bytes."),
        _c("source", pl.String, "Source in journey.yaml whose pattern matched the file."),
        _c("path", pl.String, "Path below the landing folder under which it was first seen."),
        _c("landed_at", TIME, "When the file was first seen, from the landing journal."),
        _c("bytes", pl.Int64, "Size on disk."),
        _c("rows_in", pl.Int64, "Physical rows in the file."),
    ),
)

RAW_FILE_COLUMNS = Table(
    "raw.file_columns",
    "The columns of each file with a header, or the top-level keys of its first lines; and mapped columns that it lacks.",
    ("file_id", "column_name"),
    (
        _c("file_id", pl.String, "The file."),
        _c("column_name", pl.String, "Name of the column, as the mapping calls it."),
        _c("is_mapped", pl.Boolean, "True when the source's mapping or schema names it."),
        _c("is_present", pl.Boolean, "False for a mapped column that the file lacks."),
    ),
)

RAW_SOURCES = Table(
    "raw.sources",
    "The rules by which the files of each source were read; when they change, all of them are read again.",
    ("source",),
    (
        _c("source", pl.String, "Source in journey.yaml."),
        _c("rule_version", pl.String, "Keyed hash of the source's mapping and of what the journey says about values."),
    ),
)

RAW_ROW_OUTCOMES = Table(
    "raw.row_outcomes",
    "The one outcome of every physical row of every landed file.",
    ("file_id", "row"),
    (
        _c("file_id", pl.String, "The file."),
        _c("row", pl.Int64, "Row in the file, from 1 (a header is not a row)."),
        _c("outcome", pl.String, "blank, quarantined, suppressed, superseded, conflict, duplicate or loaded."),
        _c(
            "row_key",
            KEY,
            "XXH3-64 of (source, row id); null for rows that could not be read, or are part of a superseded whole.",
        ),
        _c("content", KEY, "XXH3-64 of the canonical fields: equal rows have equal content."),
        _c(
            "sort_at",
            pl.Int64,
            "What decides among rows of one key: corrected time, or minus the modification time (µs); a summary's comes last.",
        ),
        _c("tie", pl.Int64, "What decides among rows of equal time and content: when they were received."),
        _c("whole", pl.String, "The whole that the row is part of, such as a day; null where the source has none."),
    ),
)

RAW_EXPORTS = Table(
    "raw.exports",
    "Which files hold a version of each whole (an exported day, say), and when they were exported: the newest version counts.",
    ("source", "whole", "file_id"),
    (
        _c("source", pl.String, "Source in journey.yaml."),
        _c("whole", pl.String, "Name of the whole: the values of the columns under whole.by."),
        _c("file_id", pl.String, "A file that holds rows of it; files of one export time are one version."),
        _c("is_final", pl.Boolean, "False for a provisional export, which ranks below all others."),
        _c("exported_at", TIME, "Export time, from the file's name or a manifest, else when the file landed."),
    ),
)

RAW_QUARANTINE = Table(
    "raw.quarantine",
    "Rows that could not be read, with the reason and the text they came with.",
    ("file_id", "row"),
    (
        _c("file_id", pl.String, "The file."),
        _c("source", pl.String, "Source in journey.yaml."),
        _c("path", pl.String, "Path below the landing folder."),
        _c("row", pl.Int64, "Row in the file, from 1."),
        _c(
            "reason",
            pl.String,
            "encoding, too_large, parse_error, wrong_columns, missing_time, bad_time, future_time, missing_identity or type_conflict.",
        ),
        _c("field", pl.String, "The field concerned, where there is one."),
        _c("rule_version", pl.String, "Version of the rules that judged the row, as in raw.sources."),
        _c("raw_text", pl.String, "The row as it came (the first 10,000 characters); left out of the published copy."),
    ),
)

RAW_BLOCKED_VALUES = Table(
    "raw.blocked_values",
    "Identifiers that rows gave and that name nobody, counted by why; the values themselves are not kept.",
    ("file_id", "namespace", "value_class"),
    (
        _c("file_id", pl.String, "The file."),
        _c("namespace", pl.String, "Namespace of the identifier."),
        _c(
            "value_class",
            pl.String,
            "listed in journey.yaml, placeholder word, unresolved template, all zeros, one character repeated, "
            "no phone number or structured value.",
        ),
        _c("rows", pl.Int64, "Rows of the file that gave such a value."),
    ),
)

RAW_WEB_EVENTS = Table(
    "raw.web_events",
    "Web events as read from the sources, typed, one row per event key.",
    ("source", "event_id"),
    CANONICAL,
)
RAW_CRM_EVENTS = Table(
    "raw.crm_events",
    "Dated states of CRM records, orders, tickets and answers, one row per event key.",
    ("source", "event_id"),
    CANONICAL,
)
RAW_AD_SPEND = Table(
    "raw.ad_spend",
    "Money spent on advertising, by day, channel and campaign; nobody's event.",
    ("source", "event_id"),
    (
        *EVENT_KEY_COLUMNS[:2],
        _c("occurred_at", TIME, "Start of the day on which it was spent."),
        _c("utm_source", pl.String, "Traffic source, as the visits it pays for carry it."),
        _c("utm_medium", pl.String, "Traffic medium."),
        _c("utm_campaign", pl.String, "Campaign."),
        _c("utm_content", pl.String, "Ad or ad group."),
        _c("given_channel", pl.String, "Channel, where the source names it."),
        *VALUE_COLUMNS,
        *PROVENANCE_COLUMNS,
    ),
)
RAW_LINE_ITEMS = Table(
    "raw.line_items",
    "Rows that are part of one event (the lines of a basket); event_id is the event that they add up to.",
    ("row_key",),
    CANONICAL,
)
RAW_CRM_RECORDS = Table(
    "raw.crm_records",
    "CRM records (contacts, leads, users, deals): the newest version of each, with its identifiers.",
    ("source", "object", "record_id"),
    (
        _c("source", pl.String, "Name of the source in journey.yaml."),
        _c("object", pl.String, "CRM object: contact, lead, user, deal, …"),
        _c("record_id", pl.String, "Id of the record."),
        _c("modified_at", TIME, "Modification time of this version; null where the source has none."),
        _c("evident_at", TIME, "Time from which its identifiers are evidence; null where unknown."),
        *IDENTIFIER_COLUMNS,
        _c("properties", pl.String, "Everything else the source says, a JSON object as text."),
        *PROVENANCE_COLUMNS,
    ),
)

# ---------------------------------------------------------------- core: who, when, which stage

CORE_IDENTITY_EDGES = Table(
    "core.identity_edges",
    "Evidence that two identifiers belong together: the earliest of each kind for each pair.",
    ("edge_id",),
    (
        _c("edge_id", pl.String, "Hash of kind, both identifiers, event time and event key."),
        _c("kind", pl.String, "manual, merge, conversion, login, identify, alias, crm_record or form."),
        _c(
            "strength",
            pl.UInt8,
            "Order of application, 1 strongest: manual, merge and conversion, login, CRM record, form.",
        ),
        _c(
            "from_namespace",
            pl.String,
            "Namespace of the first identifier (the smaller of the two, by namespace and value).",
        ),
        _c("from_value", pl.String, "Value of the first identifier (personal values are HMACs)."),
        _c("to_namespace", pl.String, "Namespace of the second identifier."),
        _c("to_value", pl.String, "Value of the second identifier."),
        _c("occurred_at", TIME, "Time of the earliest event that shows it."),
        _c("source", pl.String, "Source of that event."),
        _c("event_id", pl.String, "Id of that event or record within its source."),
        _c("received_at", TIME, "When that evidence was received (known time); null where unknown."),
        _c("evidence_count", pl.Int64, "Events that show the same edge."),
        _c("status", pl.String, "applied, conflict (two strong values), capped (hub or shared visitor) or retracted."),
    ),
)

CORE_IDENTITY_MAP = Table(
    "core.identity_map",
    "Every identifier and the customer it points at.",
    ("namespace", "value"),
    (
        _c("namespace", pl.String, "Namespace of the identifier: user_id, email, anonymous_id, …"),
        _c("value", pl.String, "Normalised value (personal values are HMACs)."),
        _c("customer_id", pl.String, "The customer; null for a shared visitor, whose events are resolved one by one."),
        _c(
            "status",
            pl.String,
            "joined, alone (nothing ties it to another), shared (visitor of several people) or capped (hub).",
        ),
        _c("valid_from", TIME, "Time of the first event or record that carries the identifier; null where unknown."),
        _c("known_from", TIME, "When the first evidence was received; null where unknown."),
    ),
)

CORE_CUSTOMERS = Table(
    "core.customers",
    "Customers: a stitched person, or a visitor who was never recognised.",
    ("customer_id",),
    (
        _c("customer_id", pl.String, "Hash of the anchor: the strongest, then earliest, then smallest identifier."),
        _c("anchor_namespace", pl.String, "Namespace of the anchor."),
        _c("is_identified", pl.Boolean, "True when some identifier is not a visitor's."),
        _c("is_multi_strong", pl.Boolean, "True when merges put two values of one strong namespace together."),
        _c("identifier_count", pl.UInt32, "Identifiers that point at the customer."),
        _c("visitor_count", pl.UInt32, "Of those, browsers and devices."),
        _c("is_lead", pl.Boolean, "True when the customer has a CRM lead or contact."),
        _c("account_id", pl.String, "Account of the last event that names one; null for none."),
        _c("first_seen_at", TIME, "Time of the first event; null when there is only evidence."),
        _c("last_seen_at", TIME, "Time of the last event."),
        _c("event_count", pl.UInt32, "Events, without robots and internal traffic."),
        _c("first_purchase_at", TIME, "Time of the first conversion; null when there is none."),
        _c("purchase_count", pl.UInt32, "Conversions."),
        _c("current_stage", pl.String, "Stage entered last; null for none."),
        _c("furthest_stage", pl.String, "Deepest stage ever entered; null for none."),
    ),
)

CORE_CUSTOMER_ALIASES = Table(
    "core.customer_aliases",
    "Every hash under which a customer was or could be known, so that an id seen yesterday is found today.",
    ("alias_id",),
    (
        _c("alias_id", pl.String, "Hash of one identifier (what customer_id would be if it were the anchor)."),
        _c("customer_id", pl.String, "The customer it points at today."),
        _c("namespace", pl.String, "Namespace of the identifier."),
    ),
)

CORE_EVENTS = Table(
    "core.events",
    "The one timeline: every event of every customer, with its session, stage and channel.",
    ("customer_id", "event_number"),
    (
        _c("customer_id", pl.String, "The customer."),
        _c(
            "event_number",
            pl.UInt32,
            "Place in the customer's total order (occurred_at, seq, source, event_id), from 1.",
        ),
        *EVENT_KEY_COLUMNS,
        _c("occurred_at", TIME, "When it happened (UTC)."),
        _c(
            "time_precision",
            pl.String,
            "'instant', or 'day' for a date without a time; orders after that day's timed events.",
        ),
        _c("seq", pl.Int64, "Order among events of one instant, where the source carries one."),
        _c("received_at", TIME, "When the source received it; null where unknown."),
        _c("visitor_id", pl.String, "The browser or device; null for events without one."),
        _c("account_id", pl.String, "The company, where the event names one."),
        _c(
            "session_id",
            pl.String,
            "The session; null for passive and extending events outside of one, robots and internal traffic.",
        ),
        _c(
            "is_active",
            pl.Boolean,
            "True for what the customer did; false for messages sent, field changes, pings, robots, internal.",
        ),
        _c("is_counted", pl.Boolean, "False for robots and internal traffic, which sessions and funnels leave out."),
        _c("is_conversion", pl.Boolean, "True for an event listed under conversions."),
        _c("is_customer", pl.Boolean, "True when the customer had converted before this event."),
        _c("stage", pl.String, "Journey stage the event maps to; null for unmapped."),
        _c("phase", pl.String, "Phase within the stage; null for none."),
        _c("touchpoint", pl.String, "Named kind of contact; null for unmapped."),
        _c("channel", pl.String, "Channel of the session; for events outside a session, the event's own."),
        _c("is_stage_entry", pl.Boolean, "True when the event moved the customer into another stage."),
        *[
            column
            for column in WEB_COLUMNS
            if column.name not in ("visit_id", "given_channel", "utm_term", "utm_content")
        ],
        *CRM_COLUMNS,
        *VALUE_COLUMNS,
    ),
)

CORE_SESSIONS = Table(
    "core.sessions",
    "One sitting of one customer: events with no gap longer than the session timeout.",
    ("session_id",),
    (
        _c("session_id", pl.String, "Hash of (basis, key of its first event)."),
        _c("customer_id", pl.String, "The stitched customer."),
        _c("session_number", pl.UInt32, "1 for the customer's first session."),
        _c("started_at", TIME, "Time of the first active event."),
        _c("ended_at", TIME, "Time of the last active or extending event."),
        _c("duration_seconds", pl.Int64, "From start to end, whole seconds."),
        _c(
            "engaged_seconds",
            pl.Int64,
            "Sum of the gaps between active and extending events, none longer than the timeout.",
        ),
        _c("split_reason", pl.String, "Why it began: first, timeout, max_length, campaign or given."),
        _c("event_count", pl.UInt32, "Active events."),
        _c("page_count", pl.UInt32, "Page views among them."),
        _c("visitor_count", pl.UInt32, "Distinct browsers and devices."),
        _c("entry_path", pl.String, "Path of the first event with a page."),
        _c("exit_path", pl.String, "Path of the last event with a page."),
        _c("channel", pl.String, "Channel of the first active event with page or campaign data."),
        _c("utm_source", pl.String, "Traffic source of that event."),
        _c("utm_medium", pl.String, "Traffic medium of that event."),
        _c("utm_campaign", pl.String, "Campaign of that event."),
        _c("referrer", pl.String, "Referrer of that event."),
        _c("device", pl.String, "Kind of device of the first event that has one."),
        _c("country", pl.String, "Country of the first event that has one."),
        _c("account_id", pl.String, "Account of the last event that names one."),
        _c("first_stage", pl.String, "Stage of the first mapped event."),
        _c("last_stage", pl.String, "Stage of the last mapped event."),
        _c("deepest_stage", pl.String, "Deepest stage of any event."),
        _c("is_bounce", pl.Boolean, "True for exactly one active event, pings aside."),
        _c("is_converted", pl.Boolean, "True when it holds a conversion."),
        _c(
            "revenue_minor",
            pl.Int64,
            "Sum of the conversions' value in minor units of `currency`, less returns; null for none or for several currencies.",
        ),
        _c("currency", pl.String, "Currency of revenue_minor; 'mixed' where there are several."),
    ),
)

CORE_SESSION_SUPERSEDED = Table(
    "core.session_superseded",
    "Session ids that a night had given and a later one no longer gives, and what became of each.",
    ("session_id",),
    (
        _c("session_id", pl.String, "The id that is no longer given."),
        _c("source", pl.String, "Source of the event that opened it."),
        _c("event_id", pl.String, "Id of that event within its source."),
        _c("superseded_at", TIME, "When a night first gave it no more (from the journal)."),
        _c(
            "reason",
            pl.String,
            "joined (an earlier event reaches that session now), outside (its event is in no session any more), "
            "gone (its event is not there any more).",
        ),
        _c("successor_session_id", pl.String, "The session that holds its event now; null for none."),
        _c("customer_id", pl.String, "The customer of its event now; null when the event is gone."),
    ),
)

CORE_TOUCHES = Table(
    "core.touches",
    "Contacts that attribution may credit: one per session at its start, and offline or mail contacts that were answered.",
    ("customer_id", "touch_number"),
    (
        _c("customer_id", pl.String, "The customer."),
        _c("touch_number", pl.UInt32, "1 for the customer's first touch."),
        _c("touched_at", TIME, "When."),
        _c("channel", pl.String, "Channel or medium."),
        _c("utm_source", pl.String, "Traffic source, where there is one."),
        _c("utm_medium", pl.String, "Traffic medium, where there is one."),
        _c("utm_campaign", pl.String, "Campaign, where there is one."),
        _c("session_id", pl.String, "The session; null for offline and mail contacts."),
        _c("source", pl.String, "Source of the event."),
        _c("event_id", pl.String, "Id of the event within its source."),
        _c("touchpoint", pl.String, "Touchpoint of the event; null for unmapped."),
    ),
)

CORE_STAGE_ENTRIES = Table(
    "core.stage_entries",
    "Each time a customer moved into another stage of the journey.",
    ("customer_id", "entry_number"),
    (
        _c("customer_id", pl.String, "The customer."),
        _c("entry_number", pl.UInt32, "1 for the customer's first entry."),
        _c("stage", pl.String, "The stage entered."),
        _c("stage_number", pl.UInt32, "Place of the stage in the journey, from 1."),
        _c("phase", pl.String, "Phase of the event that moved the customer; null for none."),
        _c("entered_at", TIME, "When."),
        _c("left_at", TIME, "When the next stage was entered; null while still in it."),
        _c("from_stage", pl.String, "The stage before; null for the first entry."),
        _c(
            "direction",
            pl.String,
            "forward (+1), skip (more), back (less); a first entry is forward at stage 1, else skip.",
        ),
        _c("touchpoint", pl.String, "Touchpoint of the event that moved the customer (the cause)."),
        _c("event", pl.String, "That event's name."),
        _c("source", pl.String, "That event's source."),
        _c("event_id", pl.String, "That event's id within its source."),
        _c("channel", pl.String, "Channel of that event."),
        _c("is_first", pl.Boolean, "True for the customer's first entry into this stage."),
    ),
)

CORE_FUNNEL_DEFINITIONS = Table(
    "core.funnel_definitions",
    "The funnels of journey.yaml, one row per step.",
    ("funnel", "step_number"),
    (
        _c("funnel", pl.String, "Name of the funnel."),
        _c("step_number", pl.UInt32, "Place of the step, from 1."),
        _c("step_name", pl.String, "Name of the step."),
        _c("is_optional", pl.Boolean, "True when the step may be skipped."),
        _c("unit", pl.String, "What is counted: customer, session or account."),
        _c("step_order", pl.String, "ordered, strict or any."),
        _c("window_seconds", pl.Int64, "Time from step 1 within which all must happen, inclusive; null for none."),
        _c("attempt", pl.String, "Which attempt of a unit counts: best, first or all."),
        _c("horizon", TIME, "Newest instant up to which the sources concerned are complete; null without events."),
        _c("definition", pl.String, "The whole definition as a JSON object."),
    ),
)

CORE_CUSTOMER_SEGMENTS = Table(
    "core.customer_segments",
    "Which segments of journey.yaml each customer is in, as of the horizon.",
    ("segment", "customer_id"),
    (
        _c("segment", pl.String, "Name of the segment."),
        _c("customer_id", pl.String, "A customer in it."),
    ),
)

# ---------------------------------------------------------------- mart: what is counted and shown

MART_FUNNEL_ENTRANTS = Table(
    "mart.funnel_entrants",
    "One row per counted attempt of each funnel: the first and the best of each unit, over all and of each entry day.",
    ("funnel", "unit_id", "entered_at", "entry_source", "entry_event_id"),
    (
        _c("funnel", pl.String, "Name of the funnel."),
        _c("unit_id", pl.String, "What is counted: a customer, session or account id."),
        _c("customer_id", pl.String, "Customer of the step-1 event."),
        _c("entered_at", TIME, "Time of the step-1 event."),
        _c("entry_day", pl.Date, "Day of entry in the report time zone."),
        _c("entry_source", pl.String, "Source of the step-1 event."),
        _c("entry_event_id", pl.String, "Id of the step-1 event within its source."),
        _c("step_times", pl.List(TIME), "Time of each step; null for a step not reached or skipped."),
        _c("step_sources", pl.List(pl.String), "Source of the event that served each step; null likewise."),
        _c("step_event_ids", pl.List(pl.String), "Id of the event that served each step; null likewise."),
        _c("depth", pl.UInt32, "Number of the deepest step reached, from 1 (in any order: how many distinct steps)."),
        _c(
            "status",
            pl.String,
            "converted, open, excluded or dropped at the horizon. A row with is_best speaks for its unit, "
            "one with is_best_of_day for its day, others for themselves.",
        ),
        _c("closes_at", TIME, "When the window closes; null without a window."),
        _c("is_first", pl.Boolean, "True for the unit's first attempt."),
        _c(
            "is_best",
            pl.Boolean,
            "True for the unit's best attempt: deepest, most optional steps, earliest, smallest event key.",
        ),
        _c("is_first_of_day", pl.Boolean, "True for the unit's first attempt of the entry day."),
        _c("is_best_of_day", pl.Boolean, "True for the unit's best attempt of the entry day."),
        _c("is_counted", pl.Boolean, "True where the funnel's own `attempt` choice counts this row."),
    ),
)

MART_FUNNEL_ENTRANT_GROUPS = Table(
    "mart.funnel_entrant_groups",
    "The groups of a breakdown to which each counted attempt belongs.",
    ("funnel", "unit_id", "entered_at", "entry_source", "entry_event_id", "breakdown", "value"),
    (
        _c("funnel", pl.String, "Name of the funnel."),
        _c("unit_id", pl.String, "What is counted."),
        _c("entered_at", TIME, "Time of the step-1 event."),
        _c("entry_day", pl.Date, "Day of entry in the report time zone."),
        _c("entry_source", pl.String, "Source of the step-1 event."),
        _c("entry_event_id", pl.String, "Id of the step-1 event within its source."),
        _c(
            "breakdown",
            pl.String,
            "Names of the properties, joined with ' | '; with what they are read at when that is not the entry.",
        ),
        _c("value", pl.String, "Their values, joined with ' | '; '(not known)' where there is none."),
        _c("value_parts", pl.List(pl.String), "The same values one by one."),
        _c("step_times", pl.List(TIME), "Time of each step within the group; null for a step not reached or skipped."),
        _c("depth", pl.UInt32, "Number of the deepest step reached within the group."),
        _c("status", pl.String, "converted, open, excluded or dropped within the group."),
        _c("closes_at", TIME, "When the window closes; null without a window."),
        _c("is_first", pl.Boolean, "True for the unit's first attempt within the group."),
        _c("is_best", pl.Boolean, "True for the unit's best attempt within the group."),
        _c("is_first_of_day", pl.Boolean, "True for the unit's first attempt of the entry day within the group."),
        _c("is_best_of_day", pl.Boolean, "True for the unit's best attempt of the entry day within the group."),
        _c("is_counted", pl.Boolean, "True where the funnel's own `attempt` choice counts this row."),
    ),
)

MART_ATTRIBUTION = Table(
    "mart.attribution",
    "Credit of each touch for each conversion by each model, in millionths, summing to one million per conversion and model.",
    ("customer_id", "conversion_event_id", "model", "touch_number"),
    (
        _c("customer_id", pl.String, "The customer."),
        _c("conversion_source", pl.String, "Source of the conversion event."),
        _c("conversion_event_id", pl.String, "Id of the conversion event within its source."),
        _c("converted_at", TIME, "When."),
        _c("value_minor", pl.Int64, "Value of the conversion in minor units; null for none."),
        _c("currency", pl.String, "Currency of value_minor."),
        _c("model", pl.String, "first, last, last_non_direct, linear, time_decay or position."),
        _c("touch_number", pl.UInt32, "The touch; 0 where no touch lies within the lookback."),
        _c("channel", pl.String, "Channel of the touch; '(none)' where there is no touch."),
        _c("utm_campaign", pl.String, "Campaign of the touch; null for none."),
        _c("credit_ppm", pl.Int64, "Share of the conversion in millionths."),
    ),
)

MART_RETENTION = Table(
    "mart.retention",
    "Purchasing customers by the week of their first purchase, and how many were active again in each later week.",
    ("cohort_week", "week_number"),
    (
        _c("cohort_week", pl.Date, "Monday of the week of the first purchase, in the report time zone."),
        _c("week_number", pl.UInt32, "Weeks since, 0 for the week itself."),
        _c("cohort_size", pl.UInt32, "Customers in the cohort."),
        _c(
            "returned",
            pl.UInt32,
            "Of those, active or converting in that week; null when the week ends after the horizon.",
        ),
    ),
)

MART_STAGE_CONVERSION = Table(
    "mart.stage_conversion",
    "Of the customers who entered a stage, how many reached each later stage within the window: matured, so far and projected.",
    ("from_stage", "to_stage"),
    (
        _c("from_stage", pl.String, "The stage entered."),
        _c("from_stage_number", pl.UInt32, "Its place in the journey, from 1."),
        _c("to_stage", pl.String, "The later stage."),
        _c("to_stage_number", pl.UInt32, "Its place in the journey, from 1."),
        _c("window_seconds", pl.Int64, "Time within which the later stage counts, inclusive; null for none."),
        _c("entered", pl.UInt32, "Customers who entered the first stage (their first entry)."),
        _c("reached", pl.UInt32, "Of those, who reached the later stage within the window so far."),
        _c("matured_entered", pl.UInt32, "Of those who entered, whose window has closed."),
        _c("matured_reached", pl.UInt32, "Of those matured, who reached the later stage."),
        _c(
            "projected_rate",
            pl.Float64,
            "Kaplan–Meier estimate of the share at the end of the window; null without a window.",
        ),
        _c("projected_error", pl.Float64, "Its standard error (Greenwood)."),
        _c(
            "median_seconds",
            pl.Int64,
            "Time by which half have reached it, from the same curve; null when not reached.",
        ),
    ),
)

MART_STAGE_TRANSITIONS = Table(
    "mart.stage_transitions",
    "Moves between stages, counted; a customer still in a stage leaves by '(still there)'.",
    ("from_stage", "to_stage"),
    (
        _c("from_stage", pl.String, "The stage left; '(start)' for the first entry."),
        _c("to_stage", pl.String, "The stage entered; '(still there)' for the last entry."),
        _c("direction", pl.String, "forward, skip, back, or null where the journey ends or begins."),
        _c("moves", pl.UInt32, "How often."),
        _c("customers", pl.UInt32, "By how many customers."),
        _c("median_seconds", pl.Int64, "Median (nearest rank) time in the stage left; null at the start."),
    ),
)

MART_KPIS = Table(
    "mart.kpis",
    "The key figures of journey.yaml with their targets.",
    ("stage", "metric"),
    (
        _c("stage", pl.String, "Stage the figure belongs to."),
        _c("metric", pl.String, "Name of the figure."),
        _c("numerator", pl.Int64, "Count above the line."),
        _c("denominator", pl.Int64, "Count below the line."),
        _c("value", pl.Float64, "The figure: numerator / denominator; null where the denominator is 0."),
        _c("target", pl.Float64, "What was aimed for; null for none."),
        _c("owner", pl.String, "Who answers for it."),
        _c("status", pl.String, "met, missed, or too few to say (a denominator under 20)."),
    ),
)

MART_SEGMENT_TOUCHPOINTS = Table(
    "mart.segment_touchpoints",
    "Each kind of contact with the customers of a segment, and with everybody: who went on, how sessions end, what goes wrong.",
    ("segment", "stage", "phase", "touchpoint"),
    (
        _c("segment", pl.String, "Name of the segment; '(everybody)' for all customers."),
        _c("stage", pl.String, "Stage of the touchpoint."),
        _c("phase", pl.String, "Phase within the stage; null for none."),
        _c("touchpoint", pl.String, "The kind of contact."),
        _c("events", pl.Int64, "Events of it; robots and internal traffic are left out, here and below."),
        _c("customers", pl.Int64, "Customers of the segment who had it."),
        _c("of_customers", pl.Int64, "Customers of the segment who had any contact of the stage."),
        _c("went_on", pl.Int64, "Of `customers`, those who entered a later stage after their first such contact."),
        _c("channel", pl.String, "Channel by which most of its events came; null for none."),
        _c("sessions", pl.Int64, "Sessions in which it happened."),
        _c("converted_sessions", pl.Int64, "Of those, with a conversion."),
        _c("exits", pl.Int64, "Sessions whose last mapped event it is."),
        _c("lost_sessions", pl.Int64, "Of `exits`, without a conversion."),
        _c("lost_customers", pl.Int64, "Customers with such a session."),
        _c("failed_sessions", pl.Int64, "Sessions with an error before the next touchpoint."),
        _c("customers_with_ticket", pl.Int64, "Customers who opened a ticket within 24 hours after it."),
        _c("affected", pl.Int64, "Customers with a lost or failed session, or such a ticket."),
    ),
)

MART_IDENTITY_BRIDGES = Table(
    "mart.identity_bridges",
    "Pairs of identifiers on which a customer hangs: taken apart, two groups of two or more identifiers would be left.",
    ("from_namespace", "from_value", "to_namespace", "to_value"),
    (
        _c("customer_id", pl.String, "The customer."),
        _c("from_namespace", pl.String, "Namespace of the first identifier."),
        _c("from_value", pl.String, "Value of the first identifier."),
        _c("to_namespace", pl.String, "Namespace of the second identifier."),
        _c("to_value", pl.String, "Value of the second identifier."),
        _c("from_identifiers", pl.UInt32, "Identifiers that would stay with the first."),
        _c("to_identifiers", pl.UInt32, "Identifiers that would stay with the second."),
        _c("edge_id", pl.String, "The strongest edge between the two, as `journeys unmerge` takes it."),
        _c("kinds", pl.String, "Kinds of the edges between the two, in order, joined with ', '."),
        _c("evidence_count", pl.Int64, "Events that show them together."),
    ),
)

MART_IDENTITY_SENSITIVITY = Table(
    "mart.identity_sensitivity",
    "What stitching does to the headline rates: the same counts over customers, and over each browser or device by itself.",
    ("figure", "subject", "target"),
    (
        _c("figure", pl.String, "funnel (the first of the journey that counts customers) or stage."),
        _c("subject", pl.String, "Name of the funnel, or the stage entered."),
        _c("target", pl.String, "The last step, or the next stage."),
        _c("entered", pl.Int64, "Customers who entered (of the funnel, counted attempts)."),
        _c("reached", pl.Int64, "Of those, who reached the target so far."),
        _c("rate", pl.Float64, "reached / entered; null where nobody entered."),
        _c(
            "alone_entered",
            pl.Int64,
            "The same without stitching: each browser or device of a customer is one, and what carries none is one more.",
        ),
        _c("alone_reached", pl.Int64, "Of those, which reached the target so far."),
        _c("alone_rate", pl.Float64, "alone_reached / alone_entered; null where none entered."),
    ),
)

MART_HORIZONS = Table(
    "mart.horizons",
    "Up to when each source is complete: what views of the mart hold against the time that has passed.",
    ("source",),
    (
        _c("source", pl.String, "Name of the source in journey.yaml."),
        _c(
            "horizon",
            TIME,
            "Newest instant up to which it is complete: declared, else the newest seen less its lateness.",
        ),
        _c(
            "is_in_journey",
            pl.Boolean,
            "True when some event of it has a stage; the horizon of the journey is their least.",
        ),
    ),
)

MART_ATTRIBUTION_MARKOV = Table(
    "mart.attribution_markov",
    "What each channel is worth by a Markov chain of first order: the conversions that would be lost without it.",
    ("conversion", "channel"),
    (
        _c("conversion", pl.String, "Name of the conversion event; '(all)' for all of them together."),
        _c("channel", pl.String, "Channel; '(none)' for conversions without a touch within the lookback."),
        _c("journeys", pl.Int64, "Journeys that touch the channel, converted or not; a conversion ends a journey."),
        _c("converted_journeys", pl.Int64, "Of those, the converted ones."),
        _c("all_journeys", pl.Int64, "Journeys over all channels."),
        _c("all_conversions", pl.Int64, "Conversions over all channels."),
        _c(
            "removal_effect", pl.Float64, "Share of conversions lost when every step into the channel ends the journey."
        ),
        _c("credit", pl.Float64, "removal_effect / the sum of all channels' effects; sums to one per conversion."),
        _c("conversions", pl.Float64, "credit * all_conversions."),
    ),
)

MART_JOURNEY_PATHS = Table(
    "mart.journey_paths",
    "The commonest ways of customers through channels and through stages, and which stage ways are as assumed.",
    ("kind", "place"),
    (
        _c("kind", pl.String, "channel (a journey ends where it converts) or stage (one journey per customer)."),
        _c("place", pl.UInt32, "1 for the commonest path of the kind; ties by the path."),
        _c("path", pl.String, "The steps, joined with ' > '; '(other paths)' for all beyond the thousand commonest."),
        _c("steps", pl.List(pl.String), "The same steps one by one; null for '(other paths)'."),
        _c("step_count", pl.UInt32, "How many; null for '(other paths)'."),
        _c("journeys", pl.Int64, "Journeys that went so."),
        _c("converted_journeys", pl.Int64, "Of those, the converted ones (stage: customers with a conversion)."),
        _c("all_journeys", pl.Int64, "Journeys of the kind."),
        _c(
            "is_assumed",
            pl.Boolean,
            "Stage paths: true for stages in the order of journey.yaml from the first, none left out; null otherwise.",
        ),
    ),
)

MART_STAGE_VELOCITY = Table(
    "mart.stage_velocity",
    "How long customers take from a stage to each later one: quartiles of the Kaplan–Meier curve, all who wait counted in.",
    ("from_stage", "to_stage"),
    (
        _c("from_stage", pl.String, "The stage entered."),
        _c("from_stage_number", pl.UInt32, "Its place in the journey, from 1."),
        _c("to_stage", pl.String, "The later stage."),
        _c("to_stage_number", pl.UInt32, "Its place in the journey, from 1."),
        _c("entered", pl.UInt32, "Customers who entered the first stage (their first entry)."),
        _c("reached", pl.UInt32, "Of those, who reached the later stage by the horizon, whatever the stage window."),
        _c("waiting", pl.UInt32, "Of those, who had not; watched up to the horizon."),
        _c("quartile_1_days", pl.Float64, "Days by which a quarter has reached it; null when not reached."),
        _c("median_days", pl.Float64, "Days by which half has reached it; null when not reached."),
        _c("quartile_3_days", pl.Float64, "Days by which three quarters have reached it; null when not reached."),
    ),
)

MART_SALES_OUTCOMES = Table(
    "mart.sales_outcomes",
    "Deals and leads of the CRM: when each began, and whether it was won, lost or is open at the horizon.",
    ("object", "source", "record_id"),
    (
        _c("object", pl.String, "deal or lead."),
        _c("source", pl.String, "Name of the source in journey.yaml."),
        _c("record_id", pl.String, "Id of the CRM record."),
        _c("customer_id", pl.String, "Customer of its first event."),
        _c("account_id", pl.String, "Account of its last event that names one; null for none."),
        _c("started_at", TIME, "Time of its first event."),
        _c("ended_at", TIME, "Time of its last closing; null while it is open."),
        _c(
            "outcome",
            pl.String,
            "won (deal_won, lead_converted), lost (deal_lost, a lead in a state that says so) or open at the horizon.",
        ),
        _c("last_state", pl.String, "State of its last event that has one."),
        _c("lost_reason", pl.String, "Reason given for a loss; '(not given)' for none, null when it was not lost."),
        _c(
            "value_minor",
            pl.Int64,
            "Value of its closing in minor units, else of its last event with one; null for none.",
        ),
        _c("currency", pl.String, "Currency of value_minor."),
        _c("days", pl.Float64, "Days from start to end, or to the horizon."),
    ),
)

MART_COMPETING_OUTCOMES = Table(
    "mart.competing_outcomes",
    "The share of deals and leads that are won, and that are lost, so many days after they began: Aalen–Johansen curves.",
    ("object", "outcome", "day"),
    (
        _c("object", pl.String, "deal or lead."),
        _c("outcome", pl.String, "won or lost; one minus the shares of both is the share still open."),
        _c("day", pl.UInt32, "Days since the start; only days on which the share grows."),
        _c("records", pl.Int64, "Deals or leads that began, open ones too."),
        _c("happened", pl.Int64, "Of those, that had this outcome within so many days."),
        _c("open", pl.Int64, "Records without an outcome at the horizon, whatever their age."),
        _c("share", pl.Float64, "Estimated share with this outcome by then, had all been watched as long."),
    ),
)

MART_ADOPTION = Table(
    "mart.adoption",
    "How soon purchasers reach each contact after their first conversion: onboarding and adoption in the first 90 days.",
    ("stage", "phase", "touchpoint", "step"),
    (
        _c("stage", pl.String, "Stage of the contact."),
        _c("phase", pl.String, "Phase within the stage; null for none."),
        _c("touchpoint", pl.String, "The kind of contact: the milestone."),
        _c("step", pl.String, "Property step of its events (an onboarding step, say); null for none."),
        _c("purchasers", pl.UInt32, "Customers with a conversion by the horizon."),
        _c("reached", pl.UInt32, "Of those, who had this contact within 90 days after their first conversion, so far."),
        _c("matured_purchasers", pl.UInt32, "Purchasers whose 90 days have passed."),
        _c("matured_reached", pl.UInt32, "Of those, who had the contact within 90 days."),
        _c("projected_share", pl.Float64, "Kaplan–Meier estimate of the share that has it within 90 days."),
        _c("projected_error", pl.Float64, "Its standard error (Greenwood)."),
        _c("quartile_1_days", pl.Float64, "Days by which a quarter of the purchasers has it; null when not within 90."),
        _c("median_days", pl.Float64, "Days by which half has it; null when not within 90."),
        _c("quartile_3_days", pl.Float64, "Days by which three quarters have it; null when not within 90."),
    ),
)

MART_FUNNEL_CHANGE_STEPS = Table(
    "mart.funnel_change_steps",
    "What each step contributed to the change of a funnel's total rate between the last two matured periods of 28 days.",
    ("funnel", "step_number"),
    (
        _c("funnel", pl.String, "Name of the funnel; one without a window never matures and is left out."),
        _c("step_number", pl.UInt32, "Place of the step, from 1; optional steps are left out."),
        _c("step_name", pl.String, "Name of the step."),
        _c("before_from", pl.Date, "First entry day of the earlier period, in the report time zone."),
        _c("before_to", pl.Date, "Last entry day of the earlier period."),
        _c("after_from", pl.Date, "First entry day of the later period, of as many days."),
        _c("after_to", pl.Date, "Last entry day of the later period: the newest whose windows have all closed."),
        _c(
            "reached_before",
            pl.Int64,
            "Units that reached the step in the earlier period, by their first attempt in it.",
        ),
        _c("reached_after", pl.Int64, "Units that reached the step in the later period, by their first attempt in it."),
        _c("entered_before", pl.Int64, "Units that entered in the earlier period."),
        _c("entered_after", pl.Int64, "Units that entered in the later period."),
        _c("part", pl.Float64, "What the step contributed (log-mean weights); null where a period has no entrants."),
        _c("total_change", pl.Float64, "Change of the total rate (last step / entered); the parts sum to it."),
    ),
)

MART_FUNNEL_DRIVERS = Table(
    "mart.funnel_drivers",
    "What units did or were soon after they entered a funnel, and how it goes together with converting later. An association, "
    "never a cause.",
    ("funnel", "kind", "driver"),
    (
        _c("funnel", pl.String, "Name of the funnel; one without a window, or with too few conversions, is left out."),
        _c("kind", pl.String, "'event' for something the unit did, else the breakdown as of entry whose value it is."),
        _c("driver", pl.String, "Name of the event or value; only those that 20 units have and 20 have not."),
        _c("landmark_seconds", pl.Int64, "How long every unit is watched: drivers are up to it, conversions after it."),
        _c("with_units", pl.Int64, "Units with it whose window has closed and who had not converted by the landmark."),
        _c("with_converted", pl.Int64, "Of those, who converted after the landmark."),
        _c("without_units", pl.Int64, "Units without it, likewise."),
        _c("without_converted", pl.Int64, "Of those, who converted after the landmark."),
        _c(
            "odds_ratio",
            pl.Float64,
            "Odds of converting with it against without, adjusted for other activity and other breakdowns (Firth).",
        ),
        _c("odds_ratio_low", pl.Float64, "Low end of its 95 % interval."),
        _c("odds_ratio_high", pl.Float64, "High end of its 95 % interval."),
        _c("p_value", pl.Float64, "Chance of odds at least as far from 1 if there were no association (Wald)."),
        _c("q_value", pl.Float64, "p_value adjusted for all drivers of the funnel that were looked at."),
        _c("stands_out", pl.Boolean, "True where q_value is 0.05 or less."),
    ),
)

MART_FUNNEL_CHANGE_GROUPS = Table(
    "mart.funnel_change_groups",
    "Whether a funnel's total rate changed because other groups entered (mix) or because groups convert otherwise (rate).",
    ("funnel", "breakdown", "value"),
    (
        _c("funnel", pl.String, "Name of the funnel; one without a window never matures and is left out."),
        _c("breakdown", pl.String, "Names of the properties; only breakdowns whose groups add up."),
        _c("value", pl.String, "Their values; '(not known)' where there is none."),
        _c("before_from", pl.Date, "First entry day of the earlier period, in the report time zone."),
        _c("before_to", pl.Date, "Last entry day of the earlier period."),
        _c("after_from", pl.Date, "First entry day of the later period, of as many days."),
        _c("after_to", pl.Date, "Last entry day of the later period: the newest whose windows have all closed."),
        _c(
            "entered_before",
            pl.Int64,
            "Units of the group that entered in the earlier period, by their first attempt in it.",
        ),
        _c("reached_before", pl.Int64, "Of those, who reached the last step."),
        _c(
            "entered_after",
            pl.Int64,
            "Units of the group that entered in the later period, by their first attempt in it.",
        ),
        _c("reached_after", pl.Int64, "Of those, who reached the last step."),
        _c("mix_part", pl.Float64, "What the changed share of the group contributed (Kitagawa's midpoint)."),
        _c("rate_part", pl.Float64, "What the changed rate within the group contributed."),
        _c(
            "total_change",
            pl.Float64,
            "Change of the total rate; mix and rate of all groups sum to it. Null where a period is empty.",
        ),
    ),
)

# ---------------------------------------------------------------- ops: how the runs went

OPS_RUNS = Table(
    "ops.runs",
    "How each run went; the only place that knows the wall clock.",
    ("run_id",),
    (
        _c("run_id", pl.String, "Id of the run."),
        _c("started_at", TIME, "When it started."),
        _c("ended_at", TIME, "When the warehouse was published."),
        _c("status", pl.String, "ok, or partial when a landed file could not be read."),
        _c("files_loaded", pl.Int64, "New files loaded."),
        _c("rows_in", pl.Int64, "Physical rows in them."),
        _c("events", pl.Int64, "Events in core.events afterwards."),
        _c("customers", pl.Int64, "Customers afterwards."),
        _c("data_version", pl.String, "Hash of what landed: the loaded rows and the evidence."),
        _c("configuration_version", pl.String, "Hash of the configuration."),
        _c("product_version", pl.String, "Version of the product."),
        _c("message", pl.String, "What an operator has to know; null when all is well."),
    ),
)

OPS_STEPS = Table(
    "ops.steps",
    "What each step of the last run took.",
    ("run_id", "step"),
    (
        _c("run_id", pl.String, "The run."),
        _c("step", pl.String, "The step: the tables it wrote, its checks, or what it published."),
        _c("rows", pl.Int64, "Rows of its tables afterwards; null where it writes none."),
        _c("seconds", pl.Float64, "How long it took."),
        _c("peak_mb", pl.Int64, "The most memory that the process had held by its end, in MiB."),
    ),
)

OPS_AUDIENCES = Table(
    "ops.audiences",
    "The audiences of journey.yaml, as of the last run.",
    ("audience",),
    (
        _c("audience", pl.String, "Name of the audience."),
        _c("handed_to", pl.String, "csv, parquet or webhook."),
        _c("entries", pl.Int64, "Entries there are: into the stage, the segment, or the list of who stopped."),
        _c("new_entries", pl.Int64, "Those that the run handed over, or planned to."),
        _c("without_consent", pl.Int64, "Those held back, since consent is asked for and not given."),
    ),
)

OPS_BALANCES = Table(
    "ops.balances",
    "The books of each file: rows in, and where each of them went.",
    ("file_id",),
    (
        _c("file_id", pl.String, "The file."),
        _c("source", pl.String, "Source in journey.yaml."),
        _c("path", pl.String, "Path below the landing folder."),
        _c("landed_on", pl.Date, "Day the file was first seen (UTC)."),
        _c("rows_in", pl.Int64, "Physical rows."),
        *[
            _c(outcome, pl.Int64, f"Rows whose outcome is {outcome}.")
            for outcome in ("loaded", "duplicate", "conflict", "superseded", "quarantined", "suppressed", "blank")
        ],
    ),
)

OPS_SCHEMA_DRIFT = Table(
    "ops.schema_drift",
    "What files brought otherwise than the files of their source before them, or than the mapping expects.",
    ("file_id", "column_name", "kind"),
    (
        _c("source", pl.String, "Source in journey.yaml."),
        _c("file_id", pl.String, "The file."),
        _c("path", pl.String, "Path below the landing folder."),
        _c("landed_on", pl.Date, "Day the file was first seen (UTC)."),
        _c("column_name", pl.String, "The column."),
        _c(
            "kind",
            pl.String,
            "missing (a mapped column that is not there, or one that the file before had), new (no file before had it) or type.",
        ),
        _c("is_mapped", pl.Boolean, "True when the source's mapping or schema names the column."),
        _c("quarantined", pl.Int64, "Rows of the file kept aside because of it."),
        _c("renamed_to", pl.String, "Of a missing column the only new one of the same file; null for none or several."),
    ),
)

OPS_SETTINGS = Table(
    "ops.settings",
    "The settings of journey.yaml that views need, as text.",
    ("name",),
    (
        _c("name", pl.String, "time_zone, currency, business, stage_window_seconds, …"),
        _c("value", pl.String, "The value as text; null for none (stage_window_seconds without a window)."),
    ),
)

OPS_FAILED_FILES = Table(
    "ops.failed_files",
    "Files of the last run that could not be read; nothing of them was loaded.",
    ("path",),
    (
        _c("path", pl.String, "Path below the landing folder."),
        _c("source", pl.String, "Source in journey.yaml."),
        _c("problem", pl.String, "What is wrong, where, and what would be right."),
    ),
)

OPS_ALERTS = Table(
    "ops.alerts",
    "The alerts of journey.yaml: the figure of each, and whether it lies beyond its limit.",
    ("metric", "subject", "direction", "limit"),
    (
        _c("metric", pl.String, "funnel_rate, kpi or quarantined_share."),
        _c("subject", pl.String, "The funnel, the kpi as 'stage.metric', or the source."),
        _c("direction", pl.String, "below or above: on which side of the limit the figure is told."),
        _c("limit", pl.Float64, "The limit."),
        _c("judged_by", pl.String, "interval (the whole 95 % interval lies beyond the limit) or value."),
        _c("owner", pl.String, "Who is told."),
        _c("numerator", pl.Int64, "Count above the line."),
        _c("denominator", pl.Int64, "Count below the line."),
        _c("value", pl.Float64, "numerator / denominator; null where the denominator is 0."),
        _c("low", pl.Float64, "Low end of the Wilson 95 % interval."),
        _c("high", pl.Float64, "High end of the Wilson 95 % interval."),
        _c("is_crossed", pl.Boolean, "True when the figure lies beyond its limit."),
        _c("since", TIME, "Start of the run that found it so first; null when it was never crossed."),
        _c("is_news", pl.Boolean, "True when the run before found it otherwise."),
    ),
)

OPS_REPORT_MANIFEST = Table(
    "ops.report_manifest",
    "The pages of the newest report site.",
    ("page",),
    (
        _c("page", pl.String, "File name of the page."),
        _c("title", pl.String, "Its title."),
        _c("bytes", pl.Int64, "Its size."),
        _c("sha256", pl.String, "Hash of its bytes: same data, same configuration, same page."),
    ),
)


def tables_of(names: Iterable[object]) -> dict[str, Table]:
    """The tables among some values, by name, in order."""
    return {value.name: value for value in names if isinstance(value, Table)}


TABLES = tables_of(list(globals().values()))


# ---------------------------------------------------------------- state: what the next run has to know of this one

STATE_BUILT = Table(
    "state.built",
    "By which rules, and from which rows, each table was last built.",
    ("name",),
    (
        _c("name", pl.String, "The table, or a funnel as 'funnel NAME'."),
        _c("rules", pl.String, "Hash of the rules and of the code that it depends on."),
        _c("data_version", pl.String, "Version of the rows of raw that it was built from."),
        _c("horizon", TIME, "Of a funnel: its horizon; null for others."),
    ),
)

STATE_TIMELINE = Table(
    "state.timeline",
    "The events that core.events was built from, and whose each of them is.",
    ("fingerprint",),
    (
        _c("fingerprint", KEY, "Hash of all that the timeline reads of the event."),
        _c("is_web", pl.Boolean, "True for a row of raw.web_events."),
        _c("customer_id", pl.String, "The customer whose event it is."),
    ),
)

STATE_EVIDENCE = Table(
    "state.evidence",
    "The edges between identifiers that web events show.",
    ("kind", "from_namespace", "from_value", "to_namespace", "to_value"),
    tuple(column for column in CORE_IDENTITY_EDGES.columns if column.name != "status"),
)

STATE_IDENTIFIERS = Table(
    "state.identifiers",
    "The identifiers that web events carry.",
    ("namespace", "value"),
    (
        _c("namespace", pl.String, "Kind of identifier."),
        _c("value", pl.String, "The identifier."),
        _c("first_seen_at", TIME, "First event that carries it."),
        _c("valid_from", TIME, "First event or record."),
        _c("known_from", TIME, "First reception."),
    ),
)

STATE_MOVED = Table(
    "state.moved",
    "Identifiers that point elsewhere since core.events was last built.",
    ("namespace", "value"),
    (
        _c("namespace", pl.String, "Kind of identifier."),
        _c("value", pl.String, "The identifier."),
        _c("old_customer_id", pl.String, "Where it pointed; null for nowhere."),
        _c("new_customer_id", pl.String, "Where it points; null for nowhere."),
        _c("is_new", pl.Boolean, "True when it was not known before."),
    ),
)

STATE_TOUCHED = Table(
    "state.touched",
    "Customers whose rows of a table have to be made anew.",
    ("name", "customer_id"),
    (
        _c("name", pl.String, "The table."),
        _c("customer_id", pl.String, "The customer."),
    ),
)

STATE = tables_of([STATE_BUILT, STATE_TIMELINE, STATE_EVIDENCE, STATE_IDENTIFIERS, STATE_MOVED, STATE_TOUCHED])
