"""Desks: all that is needed to judge the rows of one feed of a source."""

import hmac
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines import readers
from pipelines.drift import held_to_schema
from pipelines.errors import UnreadableFile
from pipelines.landing import JUDGED_BY_THE_CLOCK, content_id, replays
from pipelines.readers import Feed
from pipelines.tombstones import tombstones
from pipelines.warehouse import Connection, scratch
from transforms.blocked import BLOCKED, blocked_values
from transforms.canonical import Rules, canonical_rows
from transforms.channel_rules import RULES
from transforms.erasure import NOBODY_ERASED, Tombstones, erased_rows, erased_texts, suppressed
from transforms.journey import Journey
from transforms.mapping import (
    DELIMITED,
    HIDEABLE,
    PERSONAL,
    TEXT_FIELDS,
    Lookup,
    Source,
    Wanted,
    Zones,
    completeness,
    mapped_rows,
    wanted,
    zones,
)
from transforms.outcomes import row_summary

READING = 3
"""Raised when a release reads the same rows otherwise, so that they are read again."""


@dataclass(frozen=True)
class Desk:
    """All that is needed to judge the rows of one feed; `needed` is what its reader gives, `wanted` what its mapping reads.

    `rule_version` is that of the whole source.
    """

    name: str
    feed: Feed
    wanted: Wanted
    needed: Wanted
    rules: Rules
    zones: Zones
    lookups: dict[str, pl.DataFrame]
    rule_version: str
    tombstones: Tombstones = NOBODY_ERASED

    @property
    def source(self) -> Source:
        """The mapping of the feed."""
        return self.feed.source

    def judge(self, rows: pl.DataFrame, connection: Connection) -> "Judged":
        """The canonical rows and the summary of each row, with the text of the rows that cannot be used.

        Of the rows of erased persons nothing is left but that they were there.
        """
        complete, mapped, canonical = self.read(rows, connection)
        summary = _with_text(row_summary(canonical, source=self.source), complete)
        erased = erased_rows(canonical, self.tombstones)
        kept = canonical
        if erased.height:
            kept = canonical.join(erased, on=["file", "row"], how="anti", maintain_order="left")
        return Judged(
            kept.filter(pl.col("reason").is_null()).drop("text", "reason", "field"),
            suppressed(summary, pl.concat([erased, erased_texts(summary, self.tombstones, rules=self.rules)]).unique()),
            blocked_values(mapped, canonical, rules=self.rules),
        )

    def read(self, rows: pl.DataFrame, connection: Connection) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Rows with all columns that are wanted, the same as the mapping reads them, and as canonical rows."""
        complete = self.feed.completed(readers.extract(rows, self.source, self.needed, connection))
        complete = held_to_schema(complete, self.source, connection)
        plan = mapped_rows(
            complete.lazy(),
            source=self.source,
            lookups=self.lookups,
            zones=self.zones,
            complete_to=self.rules.complete_to,
        )
        mapped = plan.collect(engine="in-memory")
        absent = frozenset(name for name in TEXT_FIELDS if mapped[name].null_count() == mapped.height)
        canonical = canonical_rows(mapped.lazy(), rules=self.rules, absent=absent).collect(engine="in-memory")
        return complete, mapped, canonical


def desks_of(name: str, source: Source, landing: Path, *, journey: Journey, hmac_key: bytes) -> list[Desk]:
    """The desks of a source, one a feed.

    Raises UnreadableFile when one of its lookup files cannot be read.
    """
    feeds = readers.feeds(name, source)
    lookups = {lookup: _lookup_table(landing, lookup, said, feeds) for lookup, said in source.lookups.items()}
    version = _rule_version(name, feeds, landing, journey=journey, hmac_key=hmac_key, source=source)
    erased = tombstones(landing)
    return [_desk(name, feed, lookups, version, erased, journey=journey, hmac_key=hmac_key) for feed in feeds]


def _desk(
    name: str,
    feed: Feed,
    lookups: dict[str, pl.DataFrame],
    version: str,
    erased: Tombstones,
    *,
    journey: Journey,
    hmac_key: bytes,
) -> Desk:
    source = feed.source
    rules = Rules(
        source=name,
        kind=source.kind,
        is_record=source.record is not None,
        is_part=source.whole is not None,
        is_history=source.history is not None,
        is_summary=source.is_summary,
        has_typed_values=source.format not in DELIMITED,
        currency=journey.currency,
        internal_hosts=journey.internal_hosts,
        country=journey.identity.country,
        junk=journey.identity.junk,
        valid=journey.identity.valid,
        dropped=frozenset(value for value in PERSONAL if getattr(source.pii, value) == "drop"),
        hidden=frozenset(value for value in HIDEABLE if getattr(source.pii, value) == "hmac"),
        hmac_key=hmac_key,
        complete_to=completeness(source.complete_to, time_zone=journey.time_zone),
    )
    asked = wanted(source)
    zone = zones(source, journey_zone=journey.time_zone)
    return Desk(name, feed, asked, feed.wanted(asked), rules, zone, lookups, version, erased)


def _rule_version(
    name: str, feeds: list[Feed], landing: Path, *, source: Source, journey: Journey, hmac_key: bytes
) -> str:
    """Keyed hash of all that decides how the rows of a source are read."""
    replayed = [replay for replay in replays(landing) if (replay.source, replay.reason) == (name, JUDGED_BY_THE_CLOCK)]
    said = {
        "reading": READING,
        **({"replayed": [[replay.file_id, replay.at] for replay in replayed]} if replayed else {}),
        "source": source.model_dump(mode="json", exclude={"lateness"}),
        "feeds": [
            [feed.table, feed.version, feed.source.model_dump(mode="json", exclude={"lateness"})]
            for feed in feeds
            if feed.native
        ],
        "time_zone": journey.time_zone,
        "currency": journey.currency,
        "internal_hosts": journey.internal_hosts,
        "click_ids": {name: click.kind for name, click in RULES.click_ids.items()},
        "identity": journey.identity.model_dump(mode="json", include={"country", "junk", "valid"}),
        "lookups": {lookup: content_id(landing / said.file) for lookup, said in source.lookups.items()},
    }
    return hmac.new(hmac_key, json.dumps(said, sort_keys=True).encode(), "sha256").hexdigest()[:16]


@dataclass(frozen=True)
class Judged:
    """Rows after judgement: the canonical rows of the good ones, one summary of each row, and the identifiers that name nobody."""

    canonical: pl.DataFrame
    rows: pl.DataFrame
    blocked: pl.DataFrame

    @classmethod
    def none(cls) -> "Judged":
        """No rows."""
        return cls(pl.DataFrame(), pl.DataFrame(), pl.DataFrame(schema=BLOCKED))

    @property
    def row_count(self) -> int:
        """Physical rows."""
        return self.rows.height

    @property
    def byte_count(self) -> int:
        """Bytes that the rows take, about."""
        return int(self.canonical.estimated_size() + self.rows.estimated_size())


def _with_text(summary: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The summaries, where a quarantined row of a format without text shows its columns as JSON."""
    silent = summary.filter(pl.col("reason").is_not_null() & pl.col("text").is_null()).select("file", "row")
    columns = [name for name in rows.columns if name.startswith("raw:")]
    if silent.is_empty() or not columns:
        return summary
    shown = rows.join(silent, on=["file", "row"], how="semi").select(
        "file",
        "row",
        shown=pl.struct(pl.col(name).alias(name.removeprefix("raw:")) for name in columns).struct.json_encode(),
    )
    joined = summary.join(shown, on=["file", "row"], how="left", maintain_order="left")
    return joined.with_columns(text=pl.coalesce("text", "shown")).drop("shown")


def _lookup_table(landing: Path, name: str, lookup: Lookup, feeds: list[Feed]) -> pl.DataFrame:
    """A lookup file as text: `key` and the columns that the mapping gets; of a key given twice the smallest row counts."""
    path = landing / lookup.file
    if not path.resolve().is_relative_to(landing.resolve()) or not path.is_file():
        raise UnreadableFile(
            f"the lookup file {lookup.file} of lookups.{name} is not below the landing folder; put it there"
        )
    specs = (spec for feed in feeds for spec in feed.source.specs())
    got = sorted({spec.get for spec in specs if spec.lookup == name and spec.get})
    try:
        table = _whole(path, lookup, [lookup.key, *got])
    except UnreadableFile as error:
        raise UnreadableFile(f"the lookup file {lookup.file} of lookups.{name}: {error}") from error
    table = table.select(
        key=pl.col(f"raw:{lookup.key}").str.strip_chars(), **{column: pl.col(f"raw:{column}") for column in got}
    )
    return table.drop_nulls("key").sort(pl.all()).unique("key", keep="first", maintain_order=True)


def _whole(path: Path, lookup: Lookup, columns: list[str]) -> pl.DataFrame:
    bare = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    ending = bare.rsplit(".", 1)[-1]
    format = {"parquet": "parquet", "tsv": "tsv", "ndjson": "ndjson", "jsonl": "ndjson"}.get(ending, "csv")
    reader = Source.model_validate(
        {"format": format, "files": path.name, "delimiter": lookup.delimiter, "fields": {"event": {"value": "lookup"}}}
    )
    asked = Wanted(tuple(columns))
    header = readers.columns_of(path, reader)
    absent = [column for column in columns if header is not None and column not in header]
    if absent:
        raise UnreadableFile(f"no column '{absent[0]}' in it; it has: {', '.join(header or [])}")
    with scratch() as connection:
        parts = [readers.extract(part, reader, asked, connection) for part in readers.read(path, reader, asked)]
    schema = {f"raw:{column}": pl.String for column in columns}
    return (
        pl.concat([part.filter(pl.col("problem").is_null()).select(list(schema)) for part in parts])
        if parts
        else pl.DataFrame(schema=schema)
    )
