"""Mapping: what journey.yaml says about a source, as frozen models, and as expressions over its rows.

A reader gives rows as frames with the columns `file`, `row`, `text`, `problem`, `landed_at`, one text column `raw:<name>` for each
column or nested path that the mapping names, and one column `json:<name>` (a JSON value as text) for each property.
`problem` is `blank` or a reason of semantics.md §3; where it concerns one column, a colon and its name follow.
"""

import json
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import BeforeValidator, Field, field_validator, model_validator

from transforms.contracts import TIME
from transforms.journey import Duration, Entry, MaybeInstant, Names, checked_zone
from transforms.nearest import did_you_mean
from transforms.predicates import Where, as_text, where_expr
from transforms.times import is_bare_date, parsed_times
from transforms.wholes import name_pattern

TIME_FIELDS = ("occurred_at", "created_at", "sent_at", "received_at")
TEXT_FIELDS = (
    "event_id", "event", "seq", "anonymous_id", "device_id", "user_id", "crm_contact_id", "crm_lead_id", "email", "phone",
    "account_id", "visit_id", "url", "hostname", "path", "title", "referrer", "utm_source", "utm_medium", "utm_campaign",
    "utm_term", "utm_content", "channel", "user_agent", "device", "browser", "country", "is_bot", "is_internal", "object",
    "record_id", "state", "value", "value_minor", "currency",
)  # fmt: skip
DATED = (*TIME_FIELDS, "modified_at")
FIELDS = (*TEXT_FIELDS[:2], *TIME_FIELDS, *TEXT_FIELDS[2:])
ADDED = ("value", "value_minor")
PERSONAL = ("email", "phone")
HIDEABLE = ("user_id", "anonymous_id", "device_id")
CARRIED = ("file", "row", "text", "problem", "landed_at")

SCHEMES = ("s3", "gs", "az")
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SIGNED = re.compile(r"[?&](sig|sv|se|[^=/]*(signature|credential|token|secret|accesskeyid))=", re.IGNORECASE)

GRACE = timedelta(hours=24)
INSTANT = "%Y-%m-%dT%H:%M:%S%.6fZ"
AROUND_AMOUNTS = r"[\p{Sc}\s\x{00A0}\x{202F}'’]|^[A-Z]{3}\b|\b[A-Z]{3}$"

Scalar = str | int | float | bool


# ---------------------------------------------------------------- the models


def as_spec(value: Any) -> Any:
    """A bare name is short for {from: name}."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a column is named by text, found the number {value}; quote it: '{value}'")
    return {"from": value} if isinstance(value, str) else value


def text_keys(value: Any) -> Any:
    """The keys of a value map as the text they are compared with (1 and "1" are one key)."""
    return {as_text(key): item for key, item in value.items()} if isinstance(value, Mapping) else value


class FieldSpec(Entry):
    """Where the value of one field comes from: exactly one of from, value, template, lookup, first or latest."""

    from_: str | None = Field(None, alias="from", description="A column, or a nested path such as context.page.url.")
    value: Scalar | None = Field(None, description="A constant.")
    template: str | None = Field(None, description="Text with {column} in it; null when one of the columns is.")
    lookup: str | None = Field(None, description="Name of a lookup file of this source.")
    key: Annotated["FieldSpec | None", BeforeValidator(as_spec)] = Field(
        None, description="With lookup: what is looked up."
    )
    get: str | None = Field(None, description="With lookup: the column to take.")
    first: Annotated[tuple["Spec", ...], Field(description="The first of several that is not null.")] = ()
    latest: Annotated[tuple["Spec", ...], Field(description="Times: the latest of several.")] = ()
    map: Annotated[dict[str, Scalar] | None, BeforeValidator(text_keys)] = Field(
        None, description="Values by value; one that is not listed becomes `default`, else stays as it is."
    )
    default: Scalar | None = Field(None, description="Value where there is none (with `map`: or none is listed).")
    format: str | None = Field(
        None, description="Times: iso, epoch_s, epoch_ms, epoch_us, date, any (iso or epoch_ms) or a strptime pattern."
    )
    time_zone: str | None = Field(None, description="Times: zone of those that carry none.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return value if value is None else checked_zone(value)

    @model_validator(mode="after")
    def _one_origin(self) -> "FieldSpec":
        origins = {
            "from": self.from_,
            "value": self.value,
            "template": self.template,
            "lookup": self.lookup,
            "first": self.first,
            "latest": self.latest,
        }
        given = [name for name, origin in origins.items() if origin not in (None, ())]
        if len(given) != 1:
            raise ValueError(
                f"a field takes exactly one of {', '.join(origins)}; found {', '.join(given) or 'none of them'}"
            )
        if self.lookup is not None and (self.key is None or self.get is None):
            raise ValueError(
                f"lookup '{self.lookup}' needs `key` (a column of the row) and `get` (a column of the lookup file)"
            )
        if self.lookup is None and (self.key is not None or self.get is not None):
            raise ValueError("`key` and `get` go with `lookup`")
        if self.template is not None:
            _template_columns(self.template)
        if self.format is not None:
            checked_format(self.format)
        return self


FORMATS = ("iso", "epoch_s", "epoch_ms", "epoch_us", "date", "any")


def checked_format(format: str) -> str:
    """Refuse a time format that is neither known nor a pattern."""
    if format not in FORMATS and "%" not in format:
        raise ValueError(
            f"unknown time format '{format}'; use {', '.join(FORMATS)} or a pattern such as %d.%m.%Y %H:%M"
        )
    return format


Spec = Annotated[FieldSpec, BeforeValidator(as_spec)]
Properties = Literal["*"] | tuple[str, ...] | dict[str, Spec]
REST = "*"


def checked_fields(value: Any) -> Any:
    """Refuse a field that events do not have; name the nearest."""
    for name in value if isinstance(value, Mapping) else ():
        if name not in FIELDS:
            hint = did_you_mean(name, FIELDS)
            raise ValueError(
                f"unknown field '{name}'{hint}; put it under `properties`, or use one of: {', '.join(FIELDS)}"
            )
    return value


Fields = Annotated[dict[str, Spec], BeforeValidator(checked_fields)]


class Lookup(Entry):
    """A small file below the landing folder, joined by a key."""

    file: str
    key: str
    delimiter: str = ","


class Record(Entry):
    """Rows are versions of a CRM record: the newest wins."""

    object: str
    id: Spec
    modified_at: Spec | None = None
    undated: Literal["quarantine", "keep"] = Field(
        "quarantine", description="A record to which none of `events` applies: quarantined as missing_time, or kept."
    )


class History(Entry):
    """Rows are dated states of CRM records: events known by object, id, state and time, as the records' own are."""

    object: str
    id: Spec


class RowEvent(Entry):
    """One of the events that a row tells of."""

    event: Annotated[FieldSpec, BeforeValidator(lambda value: {"value": value} if isinstance(value, str) else value)]
    when: Where = Field(default_factory=dict, description="On columns of the row.")
    each: str | None = Field(
        None,
        description="A computed column (@…) that holds a JSON list of objects: one event for each; their members are columns.",
    )
    fields: Fields = Field(default_factory=dict, description="Fields that differ from the source's `fields`.")
    future: Literal["quarantine", "wait"] = Field(
        "quarantine",
        description="A time that is still to come when the file lands: the row is quarantined as future_time, or this event waits "
        "for a later export.",
    )


class Group(Entry):
    """Line items become one event a group; lines without an id of their own are told apart by all their columns."""

    by: Names = Field(min_length=1, description="Columns; their values are the event's id.")
    sum: Names = Field((), description="Fields to add up: value or value_minor.")
    min: Names = Field((), description="Fields whose smallest value counts.")
    max: Names = Field((), description="Fields whose greatest value counts.")

    @model_validator(mode="after")
    def _known_fields(self) -> "Group":
        for name in self.sum:
            if name not in ADDED:
                raise ValueError(f"group.sum names '{name}'; only {' or '.join(ADDED)} can be added up")
        for name in (*self.min, *self.max):
            checked_fields({name: None})
        return self


class Whole(Entry):
    """Rows that are exported again as one piece (a day, say): the version with the greatest export time wins whole."""

    by: Names = Field(min_length=1, description="Columns; rows with the same values are one whole.")
    exported_at: Names = Field(
        (),
        description="Patterns that find the export time in a file's path, such as %Y%m%dT%H%M; else a manifest tells it, else "
        "the instant at which the file landed.",
    )
    provisional: Names = Field((), description="Globs; files they match rank below all others of a whole.")

    @field_validator("exported_at")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            name_pattern(pattern)
        return value


class Pii(Entry):
    """What happens to personal values: kept as a keyed hash, or dropped; ids are kept unless they say something personal."""

    email: Literal["hmac", "drop"] = "hmac"
    phone: Literal["hmac", "drop"] = "hmac"
    user_id: Literal["keep", "hmac"] = "keep"
    anonymous_id: Literal["keep", "hmac"] = "keep"
    device_id: Literal["keep", "hmac"] = "keep"


Bare = Literal["ndjson", "csv", "tsv", "parquet", "lines"]
Format = Literal[
    "segment", "rudderstack", "segment_warehouse", "snowplow", "ga4", "posthog", "access_log", "hubspot", "salesforce",
    "orders", "subscriptions", "reviews", "surveys", "ad_spend",
]  # fmt: skip
DELIMITED = ("csv", "tsv")
WITH_HEADER = (*DELIMITED, "parquet")


def lower_keys(value: Any) -> Any:
    """Labels of columns as they are compared: trimmed, in lower case."""
    return {str(key).strip().casefold(): item for key, item in value.items()} if isinstance(value, Mapping) else value


Aliases = Annotated[
    dict[str, str],
    BeforeValidator(lower_keys),
    Field(
        description="Other names that a column has in some files, and its name in the mapping (case does not count)."
    ),
]


Policy = Literal["evolve", "freeze", "quarantine"]
Type = Literal["text", "integer", "decimal", "boolean", "time", "date"]


class Declared(Entry):
    """A column as it is expected: its type, and what happens when it is missing or holds something else."""

    type: Type = "text"
    policy: Policy = "quarantine"


class Expected(Entry):
    """The schema that a source is expected to have, and what happens when a file has another one.

    evolve: the rows are taken as they are, and the difference is told; quarantine: the rows concerned are kept aside;
    freeze: nothing of the file is loaded.
    """

    new: Policy = Field("evolve", description="Columns that are neither mapped nor declared.")
    missing: Policy = Field("quarantine", description="Mapped columns that a file with a header lacks.")
    columns: dict[
        str, Annotated[Declared, BeforeValidator(lambda value: {"type": value} if isinstance(value, str) else value)]
    ] = Field(default_factory=dict, description="Columns with their type, or with {type, policy}.")

    @property
    def freezes_values(self) -> bool:
        """True when a value in a row can refuse the whole file."""
        return self.new == "freeze" or any(column.policy == "freeze" for column in self.columns.values())


class TableMapping(Entry):
    """What a business says differently about one table of a format with several."""

    fields: Fields = Field(default_factory=dict)
    properties: Properties = ()
    left_out: Names = ()
    events: tuple[RowEvent, ...] | None = None
    aliases: Aliases = Field(default_factory=dict)
    delimiter: str | None = None
    time_zone: str | None = None
    time_formats: Names = ()


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that leaves the landing folder, and a URL of another scheme or with credentials in it."""
    if "://" in pattern:
        _check_url(pattern)
    elif pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
        raise ValueError(f"'{pattern}' leaves the landing folder; give a pattern below it, such as web/**/*.ndjson*")


def _check_url(pattern: str) -> None:
    scheme, _, rest = pattern.partition("://")
    bucket, _, glob = rest.partition("/")
    if scheme not in SCHEMES:
        raise ValueError(
            f"'{scheme}://' cannot be read; allowed are patterns below the landing folder, and URLs that begin with "
            f"{', '.join(f'{known}://' for known in SCHEMES)}"
        )
    if "@" in bucket or ":" in bucket or SIGNED.search(glob):
        raise ValueError(
            "a URL under `files` names a bucket and nothing else: no user, account, key or signature. Credentials are given in "
            "the environment; replace those that were written here"
        )
    if not BUCKET.fullmatch(bucket):
        raise ValueError(f"'{pattern}' names no bucket; write {scheme}://bucket/folder/**/*.ndjson.gz")
    segments = glob.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError(f"'{pattern}' names no object; write {scheme}://{bucket}/folder/**/*.ndjson.gz")
    if any("**" in segment and segment != "**" for segment in segments):
        raise ValueError(f"'{pattern}': `**` stands alone between slashes, as in {scheme}://{bucket}/folder/**/*.gz")


class Source(Entry):
    """One source of journey.yaml: which files, and what their rows say."""

    format: Format | Bare
    files: Names | dict[str, Names] = Field(
        description="Globs below the landing folder, or URLs such as s3://bucket/web/**/*.gz; of a format with several tables, by table."
    )
    kind: Literal["web", "crm", "spend"] = Field("web", description="spend: money spent on a day, by nobody.")
    delimiter: str = Field(",", description="csv: any one character, or `whitespace`.")
    quote: Literal["double", "none"] = Field("double", description="csv, tsv: whether quotes hold a field together.")
    columns: Names = Field((), description="Names of the columns, for files without a header.")
    aliases: Aliases = Field(default_factory=dict)
    tables: dict[str, TableMapping] = Field(
        default_factory=dict, description="What differs from the format's own mapping, by table."
    )
    time_zone: str | None = Field(
        None, description="Zone of times that carry none (UTC); of bare dates (the journey's)."
    )
    time_formats: Names = Field((), description="How times are written where they are not iso; the first that fits.")
    decimal: Literal[".", ","] | None = Field(
        None,
        description="Amounts as people write them ($1,234.50): what stands before the cents. The other of the two, blanks and "
        "apostrophes may group thousands.",
    )
    record: Record | None = None
    history: History | None = None
    lookups: dict[str, Lookup] = Field(default_factory=dict)
    fields: Fields = Field(default_factory=dict)
    properties: Properties = ()
    left_out: Names = Field((), description="Columns that `*` does not keep; one that ends in * all that begin so.")
    events: tuple[RowEvent, ...] | None = None
    group: Group | None = None
    whole: Whole | None = None
    is_summary: bool = Field(
        False, description="A row gives way to the row of the same id of another table, which tells more."
    )
    identical_rows: Literal["collapse", "keep"] = "collapse"
    schema_: Expected = Field(Expected(), alias="schema")
    pii: Pii = Pii()
    complete_to: MaybeInstant = None
    lateness: Duration = timedelta(0)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return value if value is None else checked_zone(value)

    @field_validator("time_formats")
    @classmethod
    def _known_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for format in value:
            checked_format(format)
        return value

    @field_validator("files")
    @classmethod
    def _inside_landing(cls, value: tuple[str, ...] | dict[str, tuple[str, ...]]) -> Any:
        for pattern in _all_patterns(value):
            check_pattern(pattern)
        if not _all_patterns(value):
            raise ValueError("'files' needs at least 1 entry")
        return value

    @property
    def patterns(self) -> list[tuple[str, str]]:
        """Table and glob of each pattern; the table is empty for formats of one table."""
        by_table = self.files if isinstance(self.files, dict) else {"": self.files}
        return [(table, pattern) for table, patterns in by_table.items() for pattern in patterns]

    @property
    def is_native(self) -> bool:
        """True when the format brings a mapping of its own (pipelines/readers)."""
        return self.format not in get_args(Bare)

    @model_validator(mode="after")
    def _fits(self) -> "Source":
        if self.format in DELIMITED and self.delimiter != "whitespace" and len(self.delimiter) != 1:
            raise ValueError(f"delimiter is one character or `whitespace`, found {self.delimiter!r}")
        if self.aliases and not self.is_native and self.format not in WITH_HEADER:
            raise ValueError("`aliases` is for files with a header; map {first: [new, old]} instead")
        if self.is_native:
            return self
        if self.columns and self.format not in DELIMITED:
            raise ValueError("`columns` is for csv and tsv files without a header")
        if isinstance(self.files, dict) or self.tables:
            raise ValueError(f"the format {self.format} has no tables; give `files` as a glob or a list of globs")
        if self.group and (self.events is not None or self.record):
            raise ValueError("`group` makes one event of several lines; it does not go with `events` or `record`")
        if self.left_out and not self.keeps_rest:
            raise ValueError('`left_out` goes with properties: "*"; without it only what `properties` lists is kept')
        if self.group and "event_id" in self.fields:
            raise ValueError("with `group` the values of `group.by` are the event's id; leave `event_id` out")
        if self.whole and (self.group or self.record):
            raise ValueError(
                "`whole` is for events; it does not go with `group`, nor with `record`, whose versions win one by one"
            )
        if self.history and (self.record or self.group or self.events is not None):
            raise ValueError("`history` tells one event a row; it does not go with `record`, `group` or `events`")
        if any(event.each and (not self.record or not event.each.startswith("@")) for event in self.events or ()):
            raise ValueError("`each` names a computed column (@…) of a format's `record`")
        if any(event.future == "wait" and (event.each or not self.record) for event in self.events or ()):
            raise ValueError(
                "`future: wait` is for events of a `record`, whose later versions tell of them; not with `each`"
            )
        if self.events is None and not self.record and "event" not in self.fields:
            raise ValueError("no event: map the field `event`, for example event: {value: page_view}, or list `events`")
        self._check_lookups()
        self._check_personal()
        return self

    def _check_lookups(self) -> None:
        for spec in self.specs():
            if spec.lookup is not None and spec.lookup not in self.lookups:
                raise ValueError(f"unknown lookup '{spec.lookup}'; `lookups` has: {', '.join(self.lookups) or 'none'}")

    def _check_personal(self) -> None:
        named = self.named_properties.items()
        for name in [column for own, spec in named for column in (_columns_of(spec) if spec else [own])]:
            if name.rsplit(".", 1)[-1].lower() in PERSONAL or name in self.personal_columns():
                raise ValueError(f"properties would keep '{name}' in clear; map it to the field email or phone instead")

    def specs(self) -> Iterator[FieldSpec]:
        """Every field spec of the source, the nested ones too."""
        pending = [*self.specs_at_the_top()]
        pending += [spec for spec in self.named_properties.values() if spec]
        while pending:
            spec = pending.pop()
            yield spec
            pending += [*spec.first, *spec.latest, *([spec.key] if spec.key else [])]

    def specs_at_the_top(self) -> Iterator[FieldSpec]:
        """The specs of fields, of events and of the record, without those that they are made of."""
        yield from self.fields.values()
        for row_event in self.events or ():
            yield from (row_event.event, *row_event.fields.values())
        if self.record:
            yield from (self.record.id, *([self.record.modified_at] if self.record.modified_at else []))
        if self.history:
            yield self.history.id

    @property
    def keeps_rest(self) -> bool:
        """True when all that is not mapped is kept as properties."""
        return REST in self.properties

    @property
    def named_properties(self) -> dict[str, FieldSpec | None]:
        """The properties that are named, with their specs; one without a spec is a column, kept as the JSON it is."""
        listed = self.properties if isinstance(self.properties, dict) else dict.fromkeys(self.properties)
        return {name: spec for name, spec in listed.items() if name != REST}

    def personal_columns(self) -> frozenset[str]:
        """Columns that hold e-mail addresses or phone numbers."""
        maps = [self.fields, *(row_event.fields for row_event in self.events or ())]
        specs = [fields[name] for fields in maps for name in PERSONAL if name in fields]
        return frozenset(column for spec in specs for column in _columns_of(spec))


FieldSpec.model_rebuild()


def _all_patterns(files: tuple[str, ...] | dict[str, tuple[str, ...]]) -> list[str]:
    return [pattern for patterns in files.values() for pattern in patterns] if isinstance(files, dict) else list(files)


# ---------------------------------------------------------------- which columns a mapping needs


@dataclass(frozen=True)
class Wanted:
    """What a reader has to give: text columns, property columns as JSON, and whether all that is not mapped.

    `left_out` names columns and paths that are not kept as properties; one that ends in "*" all that begin so. `objects` are
    property columns that hold a JSON object, in some files as text.
    """

    texts: tuple[str, ...]
    fragments: tuple[str, ...] = ()
    rest: bool = False
    left_out: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns by name."""
        return tuple(dict.fromkeys((*self.texts, *self.fragments)))

    def leaves_out(self, column: str) -> bool:
        """True for a column that is not kept as a property."""
        named = column in self.left_out or column.lower() in PERSONAL
        lower = column.lower()
        return named or any(path[-1] == "*" and lower.startswith(path[:-1].lower()) for path in self.left_out)


def wanted(source: Source) -> Wanted:
    """The columns that a source's mapping reads."""
    texts = {column for spec in source.specs() for column in ([spec.from_] if spec.from_ else _own_columns(spec))}
    for row_event in source.events or ():
        texts |= set(row_event.when)
        if row_event.each:
            texts = {name for name in texts if not name.startswith(f"{row_event.each}.")} | {row_event.each}
    if source.group:
        texts |= set(source.group.by)
    if source.whole:
        texts |= set(source.whole.by)
    fragments = tuple(name for name, spec in source.named_properties.items() if spec is None)
    personal = {*source.personal_columns(), *PERSONAL}
    left_out = personal.union(texts, fragments) if source.keeps_rest else personal
    rest = source.keeps_rest or source.group is not None
    read = texts | set(source.schema_.columns)
    return Wanted(tuple(sorted(read)), fragments, rest, (*sorted(left_out), *source.left_out))


def _columns_of(spec: FieldSpec) -> Iterator[str]:
    yield from [spec.from_] if spec.from_ else _own_columns(spec)
    for inner in (*spec.first, *spec.latest, *([spec.key] if spec.key else [])):
        yield from _columns_of(inner)


def _own_columns(spec: FieldSpec) -> list[str]:
    return _template_columns(spec.template) if spec.template else []


def _template_columns(template: str) -> list[str]:
    """The columns named in a template; raises ValueError when its braces do not pair up."""
    try:
        return [name for _, name, _, _ in string.Formatter().parse(template) if name]
    except ValueError as error:
        raise ValueError(f"template {template!r}: {error}; write {{column}}, and {{{{ for a brace") from error


# ---------------------------------------------------------------- from rows to fields

Lookups = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Zones:
    """Zones of times that carry none, and of bare dates."""

    times: str = "UTC"
    dates: str = "UTC"


def zones(source: Source, *, journey_zone: str) -> Zones:
    """A source's own zone, else UTC for times and the journey's zone for bare dates."""
    return Zones(source.time_zone or "UTC", source.time_zone or journey_zone)


def mapped_rows(
    rows: pl.LazyFrame, *, source: Source, lookups: Lookups, zones: Zones, complete_to: datetime | None = None
) -> pl.LazyFrame:
    """What each row says, in fields of text and time.

    In:  rows as a reader gives them (see the module); `complete_to`: what is later is still to come, by default what is more
         than 24 hours after its file landed.
    Out: one row per row and event of it: file, row, text, problem, landed_at, `variant` (0: the row itself, where it is a record or
         may hold several events; else the number of the event), the fields, and for each time field T also
         `T:given` (there was text) and `T:day` (it was a bare date); `modified_at` likewise; properties; `whole` (the name of
         the whole it is part of), `line` (of line items all columns as JSON), `planned` (how many events of the record wait for
         their time).
    """
    shared = {**_row_fields(source), **source.fields}
    tell = partial(_told, source=source, lookups=lookups, zones=zones)
    if not is_plural(source):
        return tell(rows, 1, shared)
    itself = {name: spec for name, spec in shared.items() if name != "event"}
    frames: list[pl.LazyFrame] = []
    waiting: list[pl.Expr] = []
    for number, row_event in enumerate(_row_events(source, shared), start=1):
        applies = pl.col("problem").is_null() & row_event.applies
        chosen = _unrolled(rows.filter(applies), row_event.each, row_event.fields)
        told = tell(chosen, number, row_event.fields).filter(_has_time(row_event.fields) & _has_name(source))
        if row_event.waits:
            spec = row_event.fields["occurred_at"]
            time, _ = _read_time(_time_text(spec, lookups, source, zones), spec, source, zones)
            waiting.append(applies & (time > latest_instant(complete_to)))
            told = told.filter((pl.col("occurred_at") <= latest_instant(complete_to)).fill_null(True))
        frames.append(told)
    planned = pl.sum_horizontal(pl.lit(0), *(waits.fill_null(False).cast(pl.Int64) for waits in waiting))
    return pl.concat([tell(rows, 0, itself, planned=planned), *frames])


def latest_instant(complete_to: datetime | None) -> pl.Expr:
    """The instant after which a time is still to come: `complete_to`, else 24 hours after the file landed."""
    return pl.lit(complete_to, TIME) if complete_to else pl.col("landed_at") + GRACE


def _told(
    rows: pl.LazyFrame,
    variant: int,
    fields: Mapping[str, FieldSpec],
    *,
    source: Source,
    lookups: Lookups,
    zones: Zones,
    planned: pl.Expr | None = None,
) -> pl.LazyFrame:
    """One event of each row (variant 0: the row itself), with all fields; those without a spec are null."""
    line = pl.col("json:*") if source.group else pl.lit(None, pl.String)
    waiting = pl.lit(0, pl.Int64) if planned is None else planned.cast(pl.Int64)
    told_apart = [line.alias("line"), _whole(source).alias("whole"), pl.lit(variant, pl.Int32).alias("variant")]
    texts = [_text_field(name, fields.get(name), source, lookups).alias(name) for name in TEXT_FIELDS]
    times = [_time_text(fields.get(name), lookups, source, zones).alias(name) for name in DATED]
    told = rows.select(*CARRIED, *told_apart, waiting.alias("planned"), *texts, *times, _properties(source, lookups))
    return told.with_columns(
        expression for name in DATED for expression in _time_field(name, fields.get(name), source, zones)
    )


def _whole(source: Source) -> pl.Expr:
    """The name of the whole that a row is part of; null where the row does not say it, or the source has none."""
    if source.whole is None:
        return pl.lit(None, pl.String)
    return pl.concat_str([text_of(column).str.strip_chars() for column in source.whole.by], separator=":")


def is_plural(source: Source) -> bool:
    """True when a row of the source is a record, or may tell of several events or none."""
    return source.record is not None or source.events is not None


@dataclass(frozen=True)
class _Telling:
    """Fields and condition of one event of each row, the column that lists several such events, and whether it can wait."""

    fields: dict[str, FieldSpec]
    applies: pl.Expr
    each: str | None = None
    waits: bool = False


def _row_events(source: Source, shared: dict[str, FieldSpec]) -> Iterator[_Telling]:
    """The events that a row may tell of."""
    if source.events is None:
        if "event" in shared:
            yield _Telling(shared, pl.lit(True))
        return
    for row_event in source.events:
        fields = {**shared, **row_event.fields, "event": row_event.event}
        waits = row_event.future == "wait" and "occurred_at" in fields
        yield _Telling(fields, where_expr(row_event.when, text_of), row_event.each, waits)


def _unrolled(rows: pl.LazyFrame, each: str | None, fields: Mapping[str, FieldSpec]) -> pl.LazyFrame:
    """A row for each object in the JSON list of the column, its members as columns `raw:<column>.<member>`."""
    if each is None:
        return rows
    named = {column for spec in fields.values() for column in _columns_of(spec) if column.startswith(f"{each}.")}
    members = [column.removeprefix(f"{each}.") for column in sorted(named)]
    listed = pl.col(f"raw:{each}").str.json_decode(pl.List(pl.Struct(dict.fromkeys(members, pl.String))))
    unrolled = rows.filter(text_of(each).is_not_null()).with_columns(each=listed).explode("each")
    values = [pl.col("each").struct.field(member).alias(f"raw:{each}.{member}") for member in members]
    return unrolled.with_columns(values).drop("each")


def _row_fields(source: Source) -> dict[str, FieldSpec]:
    """Fields that every row of a source of records, or of their states, has."""
    if source.history:
        return {"object": FieldSpec.model_validate({"value": source.history.object}), "record_id": source.history.id}
    if source.record is None:
        return {}
    fields = {"object": FieldSpec.model_validate({"value": source.record.object}), "record_id": source.record.id}
    return {**fields, **({"modified_at": source.record.modified_at} if source.record.modified_at else {})}


def _has_time(fields: Mapping[str, FieldSpec]) -> pl.Expr:
    """True where the event's own time is given (its declared time, when the mapping names one)."""
    given = (
        ["occurred_at"]
        if "occurred_at" in fields
        else [name for name in ("created_at", "received_at") if name in fields]
    )
    return pl.any_horizontal([pl.col(f"{name}:given") for name in given]) if given else pl.lit(False)


def _has_name(source: Source) -> pl.Expr:
    """True where an entry of `events` comes to a name; one that comes to none does not apply."""
    return pl.lit(True) if source.events is None else (pl.col("event") != "").fill_null(False)


def _text_field(name: str, spec: FieldSpec | None, source: Source, lookups: Lookups) -> pl.Expr:
    if source.group and name == "event_id":
        return pl.concat_str([text_of(column) for column in source.group.by], separator=":")
    if spec is None:
        return pl.lit(None, pl.String)
    value = spec_text(spec, lookups)
    return plain_number(value, decimal=source.decimal) if name == "value" and source.decimal else value


def _time_text(spec: FieldSpec | None, lookups: Lookups, source: Source, zones: Zones) -> pl.Expr:
    if spec is None:
        return pl.lit(None, pl.String)
    if spec.latest:
        inner = [(one, _time_text(one, lookups, source, zones)) for one in spec.latest]
        times = [_read_time(text, one if one.format else spec, source, zones)[0] for one, text in inner]
        return pl.max_horizontal(times).dt.strftime(INSTANT)
    return spec_text(spec, lookups).str.strip_chars()


def _time_field(name: str, spec: FieldSpec | None, source: Source, zones: Zones) -> list[pl.Expr]:
    """The time that a text column tells, whether it was given, and whether it was a bare date."""
    if spec is None:
        value, given, is_day = pl.lit(None, TIME), pl.lit(False), pl.lit(False)
    else:
        text = pl.col(name)
        value, is_day = _read_time(text, FieldSpec(value="") if spec.latest else spec, source, zones)
        given = (text != "").fill_null(False)
    return [value.alias(name), given.alias(f"{name}:given"), is_day.alias(f"{name}:day")]


def _read_time(text: pl.Expr, spec: FieldSpec, source: Source, zones: Zones) -> tuple[pl.Expr, pl.Expr]:
    """The time that a text tells by the first format that fits, and whether it is a bare date."""
    zone, date_zone = spec.time_zone or zones.times, spec.time_zone or zones.dates
    formats = (spec.format,) if spec.format else (*source.time_formats, "iso")
    read = [(format, parsed_times(text, format=format, zone=zone, date_zone=date_zone)) for format in formats]
    if len(read) == 1:
        return read[0][1], is_bare_date(text, format=formats[0])
    is_day = [pl.when(time.is_not_null()).then(is_bare_date(text, format=format)) for format, time in read]
    return pl.coalesce(time for _, time in read), pl.coalesce(*is_day, pl.lit(False))


def plain_number(text: pl.Expr, *, decimal: str) -> pl.Expr:
    """An amount as people write it ($1,234.50 or 1.234,50 €) as digits and a point; other text stays as it is.

    `decimal` stands before the cents, the other of point and comma between thousands, as blanks and apostrophes may.
    """
    other = "," if decimal == "." else "."
    bare = text.str.replace_all(AROUND_AMOUNTS, "").str.replace(r"^\((.*)\)$", "-${1}").str.replace("^\u2212", "-")
    grouped = bare.str.contains(rf"^[+-]?[0-9]{{1,3}}(?:\{other}[0-9]{{3}})+(?:\{decimal}[0-9]*)?$")
    simple = bare.str.contains(rf"^[+-]?[0-9]*(?:\{decimal}[0-9]*)?$") & bare.str.contains("[0-9]")
    digits = bare.str.replace_all(other, "", literal=True).str.replace(decimal, ".", literal=True)
    return pl.when(grouped | simple).then(digits).otherwise(text)


def spec_text(spec: FieldSpec, lookups: Lookups) -> pl.Expr:
    """A field spec as the text of its value, null where there is none."""
    text = _origin(spec, lookups)
    if spec.map is not None:
        listed = {key: as_text(value) for key, value in spec.map.items()}
        plain = text.str.strip_chars()
        default = pl.lit(as_text(spec.default)) if spec.default is not None else text
        return plain.replace_strict(list(listed), list(listed.values()), default=default, return_dtype=pl.String)
    return text if spec.default is None else text.fill_null(as_text(spec.default))


def _origin(spec: FieldSpec, lookups: Lookups) -> pl.Expr:
    if spec.from_ is not None:
        return text_of(spec.from_)
    if spec.value is not None:
        return pl.lit(as_text(spec.value))
    if spec.template is not None:
        return _template(spec.template)
    if spec.lookup is not None and spec.key is not None and spec.get is not None:
        table = lookups[spec.lookup]
        key = spec_text(spec.key, lookups).str.strip_chars()
        return key.replace_strict(table["key"], table[spec.get], default=None, return_dtype=pl.String)
    return pl.coalesce([spec_text(inner, lookups) for inner in spec.first])


def _template(template: str) -> pl.Expr:
    pieces: list[pl.Expr] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        if literal:
            pieces.append(pl.lit(literal))
        if name:
            pieces.append(text_of(name))
    return pl.concat_str(pieces)


def text_of(column: str) -> pl.Expr:
    """The text of a raw column; empty text is no value."""
    text = pl.col(f"raw:{column}")
    return pl.when(text != "").then(text)


def snake_case(name: pl.Expr) -> pl.Expr:
    """A name in lower case with underscores: "Video Played" is video_played."""
    words = name.str.replace_all(r"([a-z0-9])([A-Z])", "${1}_$2").str.to_lowercase()
    return words.str.replace_all(r"[^\p{L}\p{N}]+", "_").str.strip_chars("_")


# ---------------------------------------------------------------- properties


def _properties(source: Source, lookups: Lookups) -> pl.Expr:
    """What is kept beside the fields, as the text of a JSON object; null when there is nothing."""
    named = json_object(
        {
            name: pl.col(f"json:{name}") if spec is None else json_text(spec_text(spec, lookups))
            for name, spec in source.named_properties.items()
        }
    )
    if source.keeps_rest:
        rest = object_or_null(pl.col("json:*"))
        named = json_joined(rest, named) if source.named_properties else rest
    return named.alias("properties")


def json_joined(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """The text of a JSON object with the members of two, the first one's first; null where both are."""
    return pl.coalesce(pl.concat_str(one.str.head(-1), pl.lit(","), other.str.slice(1)), one, other)


def object_or_null(text: pl.Expr) -> pl.Expr:
    """The JSON object, null when it is empty or something else."""
    return pl.when(text.str.starts_with("{") & (text != "{}")).then(text)


def json_object(members: Mapping[str, pl.Expr]) -> pl.Expr:
    """The text of a JSON object with the members that are not null; null when there is none."""
    pieces = [
        pl.concat_str(pl.lit(f"{json.dumps(name, ensure_ascii=False)}:"), value) for name, value in members.items()
    ]
    if not pieces:
        return pl.lit(None, pl.String)
    inner = pl.concat_str(pieces, separator=",", ignore_nulls=True)
    return pl.when(inner != "").then(pl.concat_str(pl.lit("{"), inner, pl.lit("}")))


def json_text(value: pl.Expr) -> pl.Expr:
    """A value as JSON text, null for null."""
    return value.map_batches(_json_texts, return_dtype=pl.String, is_elementwise=True)


def _json_texts(values: pl.Series) -> pl.Series:
    """Values as JSON text; a column without any value is not worked on."""
    if values.null_count() == values.len():
        return values.cast(pl.String)
    wrapped = pl.struct(pl.col("v")).struct.json_encode().str.slice(5).str.head(-1)
    quoted = values.to_frame("v").select(pl.when(pl.col("v").is_not_null()).then(wrapped))
    return quoted.to_series().alias(values.name)


def completeness(value: datetime | date | None, *, time_zone: str) -> datetime | None:
    """`complete_to` as an instant in UTC; a bare date is that whole local day, an instant without a zone is UTC."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    next_day = datetime.combine(value + timedelta(days=1), time(), ZoneInfo(time_zone))
    return next_day.astimezone(UTC) - timedelta(microseconds=1)


def lacking(header: Iterable[str], source: Source) -> list[str]:
    """Columns that the mapping reads and a file with this header cannot give, in order.

    A spec with a default lacks nothing; of `first`, one of the several is enough.
    """
    there = set(header)
    specs = [*source.specs_at_the_top(), *(source.properties.values() if isinstance(source.properties, dict) else ())]
    named = source.properties if isinstance(source.properties, tuple) else ()
    asked = [*named, *(source.group.by if source.group else ()), *source.schema_.columns]
    asked += [column for row_event in source.events or () for column in row_event.when]
    missing = {column for spec in specs for column in _lacking_of(spec, there)}
    return sorted(missing | {column for column in asked if not _is_there(column, there)})


def _lacking_of(spec: FieldSpec, there: set[str]) -> list[str]:
    if spec.default is not None:
        return []
    if spec.first or spec.latest:
        each = [_lacking_of(inner, there) for inner in (*spec.first, *spec.latest)]
        return [] if any(not lacks for lacks in each) else each[0]
    inner = _lacking_of(spec.key, there) if spec.key else []
    return inner + [
        column for column in ([spec.from_] if spec.from_ else _own_columns(spec)) if not _is_there(column, there)
    ]


def _is_there(column: str, there: set[str]) -> bool:
    """True for a column of the header; computed columns are their format's business."""
    return column in there or column.startswith("@")
