"""Ingest: landed files into the raw tables, in transactions whose books balance."""

import hmac
import json
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import readers
from pipelines.landing import Discovery, LandedFile, content_id, discover, look
from pipelines.readers import UnreadableFile
from pipelines.readers.text import KEPT_CHARACTERS
from pipelines.settings import DataError
from pipelines.warehouse import Connection, Warehouse, as_arrow, insert, scratch, sql_text
from transforms.canonical import Rules, canonical_rows
from transforms.contracts import KEY, TABLES, TIME
from transforms.journey import Journey
from transforms.line_items import grouped_events
from transforms.mapping import (
    PERSONAL,
    Lookup,
    Source,
    Wanted,
    Zones,
    completeness,
    mapped_rows,
    unmapped,
    wanted,
    zones,
)
from transforms.outcomes import events_of, records_of, row_summary, settle, with_keys

PART_ROWS = 200_000
TRAY_BYTES = 96 << 20
GROUP_ROWS = 50_000
JUDGES = min(4, os.cpu_count() or 1)
SAMPLE_ROWS = 10_000
EVENT_TABLES = {"web": "raw.web_events", "crm": "raw.crm_events"}
FORGOTTEN = ("row_outcomes", "quarantine", "web_events", "crm_events", "crm_records", "line_items", "files", "sources")
NONE_EARLIER = pl.DataFrame(schema={"content": KEY, "seen": pl.Int64})


@dataclass(frozen=True)
class LoadSummary:
    """What a load did. `problems`: path, source and message of each file or pattern that could not be read."""

    files_loaded: int
    rows_in: int
    problems: list[tuple[str, str, str]]
    outcomes: dict[str, int]


@dataclass(frozen=True)
class Preview:
    """What a load would do with a source, from a sample of its first rows; nothing is written."""

    source: str
    files: int
    rows_sampled: int
    missing: list[str]
    quarantine: dict[str, int]
    problems: list[str]
    events: pl.DataFrame

    def summary(self) -> dict[str, Any]:
        """All but the events and problems, for showing."""
        return {
            "source": self.source,
            "files": self.files,
            "rows_sampled": self.rows_sampled,
            "missing": self.missing,
            "quarantine": self.quarantine,
        }


def load_new_files(
    warehouse: Warehouse,
    landing: Path,
    sources: Mapping[str, Source],
    *,
    journey: Journey,
    hmac_key: bytes,
    part_rows: int = PART_ROWS,
    done: Callable[[LandedFile], None] = lambda _file: None,
) -> LoadSummary:
    """Load every landed file that the warehouse does not hold; ops.failed_files tells those that could not be read.

    When the rules of a source have changed since they were used, all of its files are read again.

    Fills raw.sources, raw.files, raw.row_outcomes, raw.quarantine, raw.web_events, raw.crm_events, raw.crm_records, raw.line_items.
    A file that cannot be read is told in `problems`, and nothing of it is loaded. `done` is called after each file.
    Raises DataError when there is no landing folder or no file in it, or when the books of a file do not balance.
    """
    found = discover(landing, sources)
    problems = _refusals(found)
    totals: Counter[str] = Counter()
    files_loaded = 0
    with warehouse.opened():
        desks, closed = _desks(landing, sources, journey=journey, hmac_key=hmac_key)
        _forget_other_rules(
            warehouse, {name: desk.rule_version for name, desk in desks.items()}, kept=closed, found=found
        )
        held = set(warehouse.query(sql_text("ingest/known_files.sql"))["file_id"])
        for name in sorted(sources):
            files = [file for file in found.files if file.source == name and file.file_id not in held]
            if name in closed:
                problems += [
                    (path, name, closed[name]) for path in ([file.relative for file in files] or sources[name].files)
                ]
            if name in closed or not files:
                continue
            desk = desks[name]
            loader = Loader(desk, warehouse, part_rows=part_rows)
            for file, problem in loader.load(files):
                if problem is None:
                    files_loaded += 1
                    done(file)
                else:
                    problems.append((file.relative, name, problem))
            totals += loader.outcomes
        _tell_failures(warehouse, problems)
    return LoadSummary(files_loaded, sum(totals.values()), problems, dict(sorted(totals.items())))


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


def _refusals(found: Discovery) -> list[tuple[str, str, str]]:
    refused = [(path, name, problem) for name, path, problem in found.refused]
    return refused + [(pattern, name, problem) for name, pattern, problem in found.unmatched]


def _desks(
    landing: Path, sources: Mapping[str, Source], *, journey: Journey, hmac_key: bytes
) -> tuple[dict[str, "Desk"], dict[str, str]]:
    """The desk of each source; and of those whose lookup files cannot be read, why."""
    desks: dict[str, Desk] = {}
    closed: dict[str, str] = {}
    for name, source in sources.items():
        try:
            desks[name] = Desk.of(name, source, landing, journey=journey, hmac_key=hmac_key)
        except UnreadableFile as error:
            closed[name] = str(error)
    return desks, closed


def _forget_other_rules(
    warehouse: Warehouse, rules: Mapping[str, str], *, kept: Iterable[str], found: Discovery
) -> None:
    """Forget what was read by other rules than these, so that it is read again; sources that are gone are forgotten too.

    Raises DataError when a file that would have to be read again is not there any more.
    """
    read = dict(warehouse.query(sql_text("ingest/known_sources.sql")).rows())
    there = {file.file_id for file in found.files}
    for name, version in sorted({**dict.fromkeys(read, None), **rules}.items()):
        if name in kept or read.get(name) == version:
            continue
        files = warehouse.query(sql_text("ingest/files_of_source.sql"), {"source": name})
        gone = files.filter(~pl.col("file_id").is_in(list(there)))["path"].to_list() if version is not None else []
        if gone:
            raise DataError(
                f"the rules of the source '{name}' have changed, so its files have to be read again, but {len(gone)} of them are no "
                f"longer below the landing folder ({gone[0]}, …); put them back, or undo the change"
            )
        with warehouse.writing() as connection:
            for table in FORGOTTEN:
                connection.execute(sql_text(f"ingest/forget_{table}.sql"), {"source": name})
            if version is not None:
                insert(connection, TABLES["raw.sources"], pl.DataFrame({"source": [name], "rule_version": [version]}))


def _tell_failures(warehouse: Warehouse, problems: list[tuple[str, str, str]]) -> None:
    schema = TABLES["ops.failed_files"].schema
    frame = pl.DataFrame(problems, schema=["path", "source", "problem"], orient="row").cast(pl.String)
    told = frame.group_by("path").agg(pl.col("source", "problem").sort_by("source").first()).sort("path")
    warehouse.replace("ops.failed_files", told.select(pl.col(name).cast(dtype) for name, dtype in schema.items()))


# ---------------------------------------------------------------- one source's rules


@dataclass(frozen=True)
class Desk:
    """All that is needed to judge the rows of one source."""

    name: str
    source: Source
    wanted: Wanted
    rules: Rules
    zones: Zones
    lookups: dict[str, pl.DataFrame]
    rule_version: str

    @classmethod
    def of(cls, name: str, source: Source, landing: Path, *, journey: Journey, hmac_key: bytes) -> "Desk":
        """The desk of a source; raises UnreadableFile when one of its lookup files cannot be read."""
        rules = Rules(
            source=name,
            kind=source.kind,
            is_record=source.record is not None,
            has_typed_values=source.format not in ("csv", "tsv"),
            currency=journey.currency,
            internal_hosts=journey.internal_hosts,
            country=journey.identity.country,
            junk=journey.identity.junk,
            valid=journey.identity.valid,
            dropped=frozenset(value for value in PERSONAL if getattr(source.pii, value) == "drop"),
            hmac_key=hmac_key,
            complete_to=completeness(source.complete_to, time_zone=journey.time_zone),
        )
        values = {
            "source": source.model_dump(mode="json", exclude={"lateness"}),
            "time_zone": journey.time_zone,
            "currency": journey.currency,
            "internal_hosts": journey.internal_hosts,
            "identity": journey.identity.model_dump(mode="json", include={"country", "junk", "valid"}),
        }
        lookups = {name: _lookup_table(landing, name, lookup, source) for name, lookup in source.lookups.items()}
        said = json.dumps(
            {**values, "lookups": {name: content_id(landing / source.lookups[name].file) for name in lookups}},
            sort_keys=True,
        )
        return cls(
            name,
            source,
            wanted(source),
            rules,
            zones(source, journey_zone=journey.time_zone),
            lookups,
            hmac.new(hmac_key, said.encode(), "sha256").hexdigest()[:16],
        )

    def judge(self, rows: pl.DataFrame, connection: Connection) -> "Judged":
        """The canonical rows and the summary of each row, with the text of the rows that cannot be used."""
        complete = readers.extract(rows, self.source, self.wanted, connection)
        mapped = mapped_rows(complete.lazy(), source=self.source, lookups=self.lookups, zones=self.zones)
        canonical = canonical_rows(mapped, rules=self.rules).collect(engine="in-memory")
        summary = row_summary(canonical, source=self.source)
        return Judged(
            canonical.filter(pl.col("reason").is_null()).drop("text", "reason", "field"), _with_text(summary, complete)
        )


@dataclass(frozen=True)
class Judged:
    """Rows after judgement: the canonical rows of the good ones, and one summary of each row."""

    canonical: pl.DataFrame
    rows: pl.DataFrame

    @classmethod
    def none(cls) -> "Judged":
        """No rows."""
        return cls(pl.DataFrame(), pl.DataFrame())

    @property
    def row_count(self) -> int:
        """Physical rows."""
        return self.rows.height

    def followed_by(self, other: "Judged") -> "Judged":
        """These rows and then others."""
        if not self.row_count:
            return other
        return Judged(pl.concat([self.canonical, other.canonical]), pl.concat([self.rows, other.rows]))


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


def _lookup_table(landing: Path, name: str, lookup: Lookup, source: Source) -> pl.DataFrame:
    """A lookup file as text: `key` and the columns that the mapping gets; of a key given twice the smallest row counts."""
    path = landing / lookup.file
    if not path.resolve().is_relative_to(landing.resolve()) or not path.is_file():
        raise UnreadableFile(
            f"the lookup file {lookup.file} of lookups.{name} is not below the landing folder; put it there"
        )
    got = sorted({spec.get for spec in source.specs() if spec.lookup == name and spec.get})
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


# ---------------------------------------------------------------- loading


class Judges:
    """Judge parts of a source's rows side by side, each thread on a connection of its own; results come in order."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.pool = ThreadPoolExecutor(JUDGES)
        self.own = threading.local()
        self.connections: list[Connection] = []

    @classmethod
    @contextmanager
    def sitting(cls, desk: Desk) -> Iterator["Judges"]:
        """Judges for as long as the block runs."""
        judges = cls(desk)
        try:
            yield judges
        finally:
            judges.pool.shutdown(cancel_futures=True)
            for connection in judges.connections:
                connection.close()

    def judged(self, parts: Iterable[pl.DataFrame]) -> Iterator[Judged]:
        """The parts in order, a few of them worked on ahead."""
        waiting: deque[Future[Judged]] = deque()
        for part in parts:
            waiting.append(self.pool.submit(self._judge, part))
            if len(waiting) > JUDGES:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _judge(self, part: pl.DataFrame) -> Judged:
        if not hasattr(self.own, "connection"):
            self.own.connection = scratch()
            self.own.connection.execute("SET threads = 1")
            self.connections.append(self.own.connection)
        return self.desk.judge(part, self.own.connection)


@dataclass
class Loader:
    """Loads the files of one source: small ones many in a transaction, a large one in a transaction of its own."""

    desk: Desk
    warehouse: Warehouse
    part_rows: int
    outcomes: Counter[str] = field(default_factory=Counter)

    def load(self, files: Sequence[LandedFile]) -> Iterator[tuple[LandedFile, str | None]]:
        """Load files in order; each with its problem, or None when it was loaded."""
        tray = Tray()
        with Judges.sitting(self.desk) as judges:
            for file in files:
                parts = readers.read(file.path, self.desk.source, self.desk.wanted)
                try:
                    head = list(islice(parts, 2))
                except UnreadableFile as error:
                    yield file, str(error)
                    continue
                if len(head) == 2:
                    yield file, self._load_large(file, chain(head, parts), judges)
                    continue
                tray.put(file, head)
                if tray.row_count >= self.part_rows or tray.byte_count >= TRAY_BYTES:
                    yield from self._load_tray(tray, judges)
                    tray = Tray()
            yield from self._load_tray(tray, judges)

    def _load_tray(self, tray: "Tray", judges: Judges) -> Iterator[tuple[LandedFile, str | None]]:
        """Load whole small files, all of them in one transaction."""
        if tray.files:
            with self.warehouse.writing() as connection:
                books = Books(self.desk, connection, tray.files)
                for judged in _gathered(judges.judged(tray.groups()), self.part_rows):
                    books.add(judged)
                books.close(tray.rows_in)
            self.outcomes += books.outcomes
        for file in tray.files:
            yield file, None

    def _load_large(self, file: LandedFile, parts: Iterable[pl.DataFrame], judges: Judges) -> str | None:
        """Load one file part by part; a problem anywhere in it undoes all of it."""
        try:
            with self.warehouse.writing() as connection:
                books = Books(self.desk, connection, [file])
                heights: list[int] = []
                numbered = (_numbered(part, file, 0) for part in _counted(parts, heights))
                for judged in _gathered(judges.judged(numbered), self.part_rows):
                    books.add(judged)
                books.close([sum(heights)])
        except UnreadableFile as error:
            return str(error)
        self.outcomes += books.outcomes
        return None


def _gathered(parts: Iterable[Judged], row_count: int) -> Iterator[Judged]:
    """Judged parts put together until they have about so many rows."""
    waiting = Judged.none()
    for part in parts:
        waiting = waiting.followed_by(part)
        if waiting.row_count >= row_count:
            yield waiting
            waiting = Judged.none()
    yield waiting


def _counted(parts: Iterable[pl.DataFrame], heights: list[int]) -> Iterator[pl.DataFrame]:
    """The parts, each noted with its height as it passes."""
    for part in parts:
        heights.append(part.height)
        yield part


class Tray:
    """Whole small files on their way into one transaction."""

    def __init__(self) -> None:
        self.files: list[LandedFile] = []
        self.rows_in: list[int] = []
        self.parts: list[pl.DataFrame] = []
        self.byte_count = 0

    @property
    def row_count(self) -> int:
        """Rows of all files on the tray."""
        return sum(self.rows_in)

    def put(self, file: LandedFile, parts: list[pl.DataFrame]) -> None:
        """Add a file with all its rows."""
        self.parts += [_numbered(part, file, len(self.files)) for part in parts]
        self.byte_count += int(sum(part.estimated_size() for part in parts))
        self.files.append(file)
        self.rows_in.append(sum(part.height for part in parts))

    def groups(self) -> Iterator[pl.DataFrame]:
        """The rows of the files, several small files at a time."""
        group: list[pl.DataFrame] = []
        for part in self.parts:
            group.append(part)
            if sum(piece.height for piece in group) >= GROUP_ROWS:
                yield pl.concat(group)
                group = []
        if group:
            yield pl.concat(group)


def _numbered(part: pl.DataFrame, file: LandedFile, number: int) -> pl.DataFrame:
    return part.with_columns(file=pl.lit(number, pl.UInt32), landed_at=pl.lit(file.landed_at, TIME))


class Books:
    """What becomes of the rows of some files inside one transaction."""

    def __init__(self, desk: Desk, connection: Connection, files: list[LandedFile]) -> None:
        self.desk = desk
        self.connection = connection
        self.files = files
        self.file_ids = pl.Series("file_id", [file.file_id for file in files], dtype=pl.String)
        self.outcomes: Counter[str] = Counter()

    def add(self, judged: Judged) -> None:
        """Give each row its outcome, write what is loaded, and take back what a better row displaces."""
        if not judged.row_count:
            return
        source = self.desk.source
        earlier = (
            self._known("ingest/earlier_rows.sql", judged.rows) if source.identical_rows == "keep" else NONE_EARLIER
        )
        keyed = with_keys(judged.rows, name=self.desk.name, source=source, earlier=earlier)
        settlement = settle(keyed, self._known("ingest/held_rows.sql", keyed), source=source)
        self._displace(settlement.displaced)
        rows = settlement.outcomes
        self._write_outcomes(rows)
        loaded = rows.filter(pl.col("outcome") == "loaded").select("file", "row", "row_id", "row_key")
        self._write_events(judged.canonical, loaded)
        self.outcomes += Counter(dict(rows["outcome"].value_counts().iter_rows()))

    def close(self, rows_in: list[int]) -> None:
        """Enter the files and check that every row of them has one outcome.

        Raises DataError when the books of a file do not balance; the transaction is then undone.
        """
        entered = pl.DataFrame(
            {
                "file_id": self.file_ids,
                "source": [self.desk.name] * len(self.files),
                "path": [file.relative for file in self.files],
                "landed_at": pl.Series([file.landed_at for file in self.files], dtype=TIME),
                "bytes": [file.bytes for file in self.files],
                "rows_in": rows_in,
            }
        )
        insert(self.connection, TABLES["raw.files"], entered)
        wrong = self._ask("ingest/unbalanced_files.sql", booked=entered)
        if wrong.height:
            path, expected, found = wrong.select("path", "rows_in", "outcomes").row(0)
            raise DataError(
                f"{path}: {expected} rows were read but {found} have an outcome; nothing of it was loaded, report this as a defect"
            )

    def _write_outcomes(self, rows: pl.DataFrame) -> None:
        named = rows.with_columns(file_id=self._file_ids(rows))
        self._insert("raw.row_outcomes", named)
        bad = named.filter(pl.col("outcome") == "quarantined")
        paths = pl.Series("path", [file.relative for file in self.files], dtype=pl.String)
        self._insert(
            "raw.quarantine",
            bad.with_columns(
                source=pl.lit(self.desk.name),
                path=paths.gather(bad["file"]),
                rule_version=pl.lit(self.desk.rule_version),
                raw_text=pl.col("text").str.head(KEPT_CHARACTERS),
            ),
        )

    def _write_events(self, canonical: pl.DataFrame, loaded: pl.DataFrame) -> None:
        source = self.desk.source
        if source.record:
            self._insert("raw.crm_records", self._sourced(records_of(canonical, loaded)))
        events = self._sourced(events_of(canonical, loaded, source=source))
        if source.group:
            self._insert("raw.line_items", events)
            self._regroup(events.select("event_id").unique())
        else:
            self._insert(EVENT_TABLES[source.kind], events)

    def _regroup(self, touched: pl.DataFrame) -> None:
        """Derive anew the events of the groups that got lines."""
        group = self.desk.source.group
        if group is None or touched.is_empty():
            return
        name = {"source": self.desk.name}
        lines = self._ask("ingest/lines_of_groups.sql", name, touched=touched)
        for table in ("web", "crm"):
            self._run(f"ingest/delete_groups_{table}.sql", name, touched=touched)
        self._insert(EVENT_TABLES[self.desk.source.kind], grouped_events(lines.lazy(), group=group).collect())

    def _displace(self, displaced: pl.DataFrame) -> None:
        if displaced.is_empty():
            return
        losing = {"losing": "superseded" if self.desk.source.record else "conflict"}
        self._run("ingest/correct_outcomes.sql", losing, displaced=displaced)
        for table in ("web_events", "crm_events", "crm_records"):
            self._run(f"ingest/delete_displaced_{table}.sql", {}, displaced=displaced)

    def _sourced(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(source=pl.lit(self.desk.name), file_id=self._file_ids(rows))

    def _file_ids(self, rows: pl.DataFrame) -> pl.Series:
        return self.file_ids.gather(rows["file"])

    def _known(self, statement: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of the ledger that share a key or content with these."""
        keys = [name for name in ("row_key", "content") if name in rows.columns]
        return self._ask(statement, incoming_keys=rows.filter(pl.col("reason").is_null()).select(keys))

    def _insert(self, table: str, frame: pl.DataFrame) -> None:
        if frame.height:
            insert(self.connection, TABLES[table], TABLES[table].conform(frame.lazy()).collect(engine="in-memory"))

    def _ask(self, statement: str, parameters: Mapping[str, Any] | None = None, **frames: pl.DataFrame) -> pl.DataFrame:
        with registered(self.connection, frames):
            found: pl.DataFrame = self.connection.sql(sql_text(statement), params=dict(parameters or {})).pl()
        return found

    def _run(self, statement: str, parameters: Mapping[str, Any], **frames: pl.DataFrame) -> None:
        with registered(self.connection, frames):
            self.connection.execute(sql_text(statement), dict(parameters))


@contextmanager
def registered(connection: Connection, frames: Mapping[str, pl.DataFrame]) -> Iterator[None]:
    """Frames as views by name, for as long as the block runs."""
    for name, frame in frames.items():
        connection.register(name, as_arrow(frame))
    try:
        yield
    finally:
        for name in frames:
            connection.unregister(name)


# ---------------------------------------------------------------- preview


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
    problems = [f"{path}: {problem}" for path, owner, problem in _refusals(found) if owner == name]
    try:
        desk = Desk.of(name, source, landing, journey=journey, hmac_key=hmac_key)
    except UnreadableFile as error:
        return Preview(name, len(files), 0, [], {}, [*problems, str(error)], TABLES[EVENT_TABLES[source.kind]].empty())
    sample, unread = _sample(files, desk)
    judged = desk.judge(sample, connection) if sample.height else Judged.none()
    reasons: list[str] = judged.rows.filter(pl.col("reason") != "blank")["reason"].to_list() if sample.height else []
    return Preview(
        source=name,
        files=len(files),
        rows_sampled=sample.height,
        missing=_missing(files, desk, judged),
        quarantine=dict(sorted(Counter(reasons).items())),
        problems=[*problems, *unread],
        events=_sample_events(desk, judged),
    )


def _sample(files: list[LandedFile], desk: Desk) -> tuple[pl.DataFrame, list[str]]:
    """The first rows of a source, and what was wrong with the files on the way."""
    parts: list[pl.DataFrame] = []
    problems: list[str] = []
    for number, file in enumerate(files):
        left = SAMPLE_ROWS - sum(part.height for part in parts)
        try:
            for part in islice(readers.read(file.path, desk.source, desk.wanted), 1 if left > 0 else 0):
                parts.append(_numbered(part.head(left), file, number))
        except UnreadableFile as error:
            problems.append(f"{file.relative}: {error}")
    return (pl.concat(parts) if parts else pl.DataFrame()), problems


def _missing(files: list[LandedFile], desk: Desk, judged: "Judged") -> list[str]:
    """Mapped columns that the first file lacks, and mapped fields that no sampled row has."""
    for file in files[:1]:
        try:
            header = readers.columns_of(file.path, desk.source)
        except UnreadableFile:
            continue
        if header is not None:
            return [f"{file.relative} has no column '{column}'" for column in unmapped(header, desk.source)]
    if desk.source.format == "segment" or not judged.canonical.height:
        return []
    canonical = judged.canonical
    empty = [
        name
        for name in desk.source.fields
        if name in canonical.columns and canonical[name].null_count() == canonical.height
    ]
    return [f"no sampled row has the field '{name}'" for name in empty]


def _sample_events(desk: Desk, judged: "Judged") -> pl.DataFrame:
    table = TABLES[EVENT_TABLES[desk.source.kind]]
    if not judged.row_count:
        return table.empty()
    keyed = with_keys(judged.rows, name=desk.name, source=desk.source, earlier=NONE_EARLIER)
    good = keyed.filter(pl.col("row_key").is_not_null()).unique("row_key", keep="first", maintain_order=True)
    events = events_of(judged.canonical, good.select("file", "row", "row_id", "row_key"), source=desk.source)
    events = events.with_columns(source=pl.lit(desk.name))
    if desk.source.group:
        lines = TABLES["raw.line_items"].conform(events.lazy())
        events = grouped_events(lines, group=desk.source.group).collect()
    return table.conform(events.lazy()).collect()
