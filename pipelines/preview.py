"""Previews: what a load would do with each source, judged by its first rows; nothing is written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import readers
from pipelines.desk import Desk, Judged, desks_of
from pipelines.drift import rows_of
from pipelines.errors import UnreadableFile
from pipelines.ingest import NONE_EARLIER, numbered, refusals
from pipelines.landing import Discovery, LandedFile, look
from pipelines.warehouse import Connection, scratch
from transforms.contracts import TABLES
from transforms.journey import Journey
from transforms.line_items import grouped_events
from transforms.mapping import Source, lacking
from transforms.outcomes import events_of, with_keys

SAMPLE_ROWS = 10_000
EVENTS = TABLES["raw.web_events"]
NO_EVENTS = EVENTS.empty()


@dataclass(frozen=True)
class Preview:
    """What a load would do with a source, from a sample of its first rows; nothing is written.

    `waiting`: objects of a bucket that a load would fetch first; they are not sampled.
    """

    source: str
    files: int
    rows_sampled: int
    missing: list[str]
    quarantine: dict[str, int]
    problems: list[str]
    events: pl.DataFrame
    waiting: int = 0

    def summary(self) -> dict[str, Any]:
        """All but the events and problems, for showing."""
        return {
            "source": self.source,
            "files": self.files,
            "waiting": self.waiting,
            "rows_sampled": self.rows_sampled,
            "missing": self.missing,
            "quarantine": self.quarantine,
        }


def preview(
    landing: Path, sources: Mapping[str, Source], *, journey: Journey, hmac_key: bytes = b"preview"
) -> list[Preview]:
    """What a load would do with each source, judged by its first rows; nothing is written.

    Raises DataError when there is no landing folder, or no file in it that a source asks for.
    """
    found = look(landing, sources)
    with scratch() as connection:
        return [
            _preview(name, source, found, landing, connection, journey=journey, hmac_key=hmac_key)
            for name, source in sorted(sources.items())
        ]


def _preview(
    name: str,
    source: Source,
    found: Discovery,
    landing: Path,
    connection: Connection,
    *,
    journey: Journey,
    hmac_key: bytes,
) -> Preview:
    files = [file for file in found.files if file.source == name]
    waiting = len(found.waiting.get(name, []))
    problems = [f"{path}: {problem}" for path, owner, problem in refusals(found) if owner == name]
    try:
        desks = desks_of(name, source, landing, journey=journey, hmac_key=hmac_key)
    except UnreadableFile as error:
        return Preview(name, len(files), 0, [], {}, [*problems, str(error)], NO_EVENTS, waiting)
    parts = [_preview_of_feed(desk, readers.files_of(desk.feed, files), connection) for desk in desks]
    return Preview(
        source=name,
        files=len(files),
        rows_sampled=sum(part.rows_sampled for part in parts),
        missing=[missing for part in parts for missing in part.missing],
        quarantine=dict(sorted(sum((Counter(part.quarantine) for part in parts), Counter()).items())),
        problems=[*problems, *(problem for part in parts for problem in part.problems)],
        events=pl.concat([NO_EVENTS, *(part.events for part in parts)]),
        waiting=waiting,
    )


def _preview_of_feed(desk: Desk, files: list[LandedFile], connection: Connection) -> Preview:
    sample, unread = _sample(files, desk)
    judged = desk.judge(sample, connection) if sample.height else Judged.none()
    reasons: list[str] = judged.rows.filter(pl.col("reason") != "blank")["reason"].to_list() if sample.height else []
    return Preview(
        source=desk.name,
        files=len(files),
        rows_sampled=sample.height,
        missing=_missing(files, desk, judged),
        quarantine=dict(Counter(reasons)),
        problems=unread,
        events=_sample_events(desk, judged),
    )


def _sample(files: list[LandedFile], desk: Desk) -> tuple[pl.DataFrame, list[str]]:
    """The first rows of a source, and what was wrong with the files on the way."""
    parts: list[pl.DataFrame] = []
    problems: list[str] = []
    for number, file in enumerate(files):
        left = SAMPLE_ROWS - sum(part.height for part in parts)
        try:
            for part in islice(rows_of(file.path, desk.feed, desk.needed), 1 if left > 0 else 0):
                parts.append(numbered(part.head(left), file, number))
        except UnreadableFile as error:
            problems.append(f"{file.relative}: {error}")
    return (pl.concat(parts) if parts else pl.DataFrame()), problems


def _missing(files: list[LandedFile], desk: Desk, judged: "Judged") -> list[str]:
    """Mapped columns that the first file lacks, and mapped fields that no sampled row has; a native format may lack any."""
    if desk.feed.native:
        return []
    for file in files[:1]:
        try:
            header = readers.columns_of(file.path, desk.source)
        except UnreadableFile:
            continue
        if header is not None:
            return [f"{file.relative} has no column '{column}'" for column in lacking(header, desk.source)]
    if not judged.canonical.height:
        return []
    canonical = judged.canonical
    empty = [
        name
        for name in desk.source.fields
        if name in canonical.columns and canonical[name].null_count() == canonical.height
    ]
    return [f"no sampled row has the field '{name}'" for name in empty]


def _sample_events(desk: Desk, judged: "Judged") -> pl.DataFrame:
    if not judged.row_count or desk.source.kind == "spend":
        return NO_EVENTS
    keyed = with_keys(judged.rows, name=desk.name, source=desk.source, earlier=NONE_EARLIER)
    good = keyed.filter(pl.col("row_key").is_not_null()).unique("row_key", keep="first", maintain_order=True)
    events = events_of(judged.canonical, good.select("file", "row", "row_id", "row_key"), source=desk.source)
    events = events.with_columns(source=pl.lit(desk.name))
    if desk.source.group:
        lines = TABLES["raw.line_items"].conform(events.lazy())
        events = grouped_events(lines, group=desk.source.group).collect()
    return EVENTS.conform(events.lazy()).collect()
