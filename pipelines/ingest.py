"""Ingest: landed files into the raw tables, in transactions whose books balance."""

import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import readers
from pipelines.desk import Desk, Judged, desks_of
from pipelines.drift import columns_of_files, rows_of
from pipelines.errors import DataError, UnreadableFile
from pipelines.exports import REREAD, Versions, dated, reconsider
from pipelines.landing import Discovery, LandedFile, discover, later_judgements
from pipelines.readers.text import KEPT_CHARACTERS
from pipelines.settling import AT_ONCE, Settling, unchanged
from pipelines.tombstones import replaced_files
from pipelines.warehouse import Connection, Warehouse, ask, insert, run, scratch, sql_text
from transforms.canonical import SUMMARY_FROM
from transforms.contracts import KEY, TABLES, TIME
from transforms.journey import Journey
from transforms.line_items import grouped_events
from transforms.mapping import Source
from transforms.outcomes import events_of, records_of, settle, together, with_keys

PART_ROWS = 200_000
TRAY_BYTES = 96 << 20
GATHERED_BYTES = 256 << 20
GROUP_ROWS = 50_000
JUDGES = min(4, os.cpu_count() or 1)
EVENT_TABLES = {"web": "raw.web_events", "crm": "raw.crm_events", "spend": "raw.ad_spend"}
REREAD_ROWS = (*REREAD, "crm_records", "line_items")
FORGOTTEN = (
    "row_outcomes", "file_columns", "blocked_values", "quarantine", "web_events", "crm_events", "ad_spend", "crm_records", "line_items", "exports",
    "files", "sources",
)  # fmt: skip
NONE_EARLIER = pl.DataFrame(schema={"content": KEY, "seen": pl.Int64})


@dataclass(frozen=True)
class LoadSummary:
    """What a load did. `problems`: path, source and message of each file or pattern that could not be read.

    `waiting`: the paths of files that are still being written.
    """

    files_loaded: int
    rows_in: int
    problems: list[tuple[str, str, str]]
    outcomes: dict[str, int]
    waiting: list[str]


def load_new_files(
    warehouse: Warehouse,
    landing: Path,
    sources: Mapping[str, Source],
    *,
    journey: Journey,
    hmac_key: bytes,
    settling: Settling = AT_ONCE,
    found: Discovery | None = None,
    until: datetime | None = None,
    part_rows: int = PART_ROWS,
    done: Callable[[LandedFile], None] = lambda _file: None,
    say: Callable[[str], None] = lambda _line: None,
) -> LoadSummary:
    """Load every landed file that the warehouse does not hold; ops.failed_files tells those that could not be read.

    When the rules of a source have changed since they were used, all of its files are read again.

    Fills raw.sources, raw.files, raw.exports, raw.row_outcomes, raw.quarantine, raw.web_events, raw.crm_events, raw.ad_spend, raw.crm_records
    and raw.line_items.
    A file that cannot be read is told in `problems`, and nothing of it is loaded. `done` is called after each file, `say` with a
    line before and after objects are fetched. A file that is still being written, as `settling` says, waits for the next load.
    `found` is what is to be loaded instead of all that is there; `until` the instant before which a replay counts.
    Raises DataError when there is no landing folder or no file in it, or when the books of a file do not balance.
    """
    found = found or discover(landing, sources, settling=settling, say=say)
    problems, later = refusals(found), later_judgements(landing, until=until)
    totals: Counter[str] = Counter()
    files_loaded = 0
    with warehouse.opened():
        desks, closed = _desks(landing, sources, journey=journey, hmac_key=hmac_key)
        rules = {name: of_source[0].rule_version for name, of_source in desks.items()}
        replaced = replaced_files(landing)
        again = _forget_replaced(warehouse, replaced, {name: of[0].source for name, of in desks.items()})
        there = replaced | {file.file_id for file in found.files}
        _forget_other_rules(warehouse, rules, kept=closed, there=there, again=again)
        for name in sorted(sources):
            files = [file for file in found.files if file.source == name]
            if name not in closed:
                files, undated = dated(files, desks[name][0].source, landing)
                problems += [(path, name, problem) for path, problem in undated]
                reconsider(warehouse, name, files)
            held = set(warehouse.query(sql_text("ingest/known_files.sql"))["file_id"])
            files = [replace(file, replayed_at=later.get(file.file_id)) for file in files if file.file_id not in held]
            if name in closed:
                concerned = [file.relative for file in files] or [pattern for _, pattern in sources[name].patterns]
                problems += [(path, name, closed[name]) for path in concerned]
                continue
            for desk in desks[name]:
                loader = Loader(desk, warehouse, part_rows=part_rows)
                for file, problem in loader.load(readers.files_of(desk.feed, files)):
                    if problem is None:
                        files_loaded += 1
                        done(file)
                    else:
                        problems.append((file.relative, name, problem))
                totals += loader.outcomes
        _tell_failures(warehouse, problems)
    waiting = [path for _, path, _ in found.unsettled]
    return LoadSummary(files_loaded, sum(totals.values()), problems, dict(sorted(totals.items())), waiting)


def refusals(found: Discovery) -> list[tuple[str, str, str]]:
    """Path (or pattern), source and message of all that was refused or not found."""
    refused = [(path, name, problem) for name, path, problem in found.refused]
    return refused + [(pattern, name, problem) for name, pattern, problem in found.unmatched]


def _desks(
    landing: Path, sources: Mapping[str, Source], *, journey: Journey, hmac_key: bytes
) -> tuple[dict[str, list[Desk]], dict[str, str]]:
    """The desks of each source; and of those whose lookup files cannot be read, why."""
    desks: dict[str, list[Desk]] = {}
    closed: dict[str, str] = {}
    for name, source in sources.items():
        try:
            desks[name] = desks_of(name, source, landing, journey=journey, hmac_key=hmac_key)
        except UnreadableFile as error:
            closed[name] = str(error)
    return desks, closed


def _forget_other_rules(
    warehouse: Warehouse, rules: Mapping[str, str], *, kept: Iterable[str], there: set[str], again: set[str]
) -> None:
    """Forget what was read by other rules than these, so that it is read again; sources that are gone are forgotten too.

    The sources `again` are read again by the same rules; `there`: the files that are there, or were replaced.
    Raises DataError when a file that would have to be read again is not there any more.
    """
    read = dict(warehouse.query(sql_text("ingest/known_sources.sql")).rows())
    for name, version in sorted({**dict.fromkeys(read, None), **rules}.items()):
        if name in kept or (read.get(name) == version and name not in again):
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


def _forget_replaced(warehouse: Warehouse, replaced: set[str], sources: Mapping[str, Source]) -> set[str]:
    """Forget what was read from files that an erasure has rewritten since; they are read again as they are now.

    Returns the sources of which every file has to be read again instead: where a row counts by its place among equal ones,
    or as part of the newest whole, a file cannot be taken back by itself.
    """
    if not replaced:
        return set()
    held = warehouse.query("SELECT file_id, source FROM raw.files").filter(pl.col("file_id").is_in(list(replaced)))
    named = {name: sources[name] for name in held["source"].unique() if name in sources}
    again = {name for name, source in named.items() if source.whole or source.identical_rows == "keep"}
    concerned = held.filter(~pl.col("source").is_in(list(again))).select("file_id")
    if concerned.height:
        with warehouse.writing() as connection:
            for table in REREAD_ROWS:
                run(connection, f"ingest/reread_{table}.sql", concerned=concerned)
    return again


def _tell_failures(warehouse: Warehouse, problems: list[tuple[str, str, str]]) -> None:
    schema = TABLES["ops.failed_files"].schema
    frame = pl.DataFrame(problems, schema=["path", "source", "problem"], orient="row").cast(pl.String)
    told = frame.group_by("path").agg(pl.col("source", "problem").sort_by("source").first()).sort("path")
    warehouse.replace("ops.failed_files", told.select(pl.col(name).cast(dtype) for name, dtype in schema.items()))


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
    columns: dict[str, list[str]] = field(default_factory=dict)

    def load(self, files: Sequence[LandedFile]) -> Iterator[tuple[LandedFile, str | None]]:
        """Load files in order; each with its problem, or None when it was loaded."""
        tray = Tray()
        with Judges.sitting(self.desk) as judges, _one_writing_thread(self.warehouse):
            for file in files:
                note = partial(self.columns.__setitem__, file.file_id)
                parts = unchanged(
                    file.path, file.stamp, rows_of(file.path, self.desk.feed, self.desk.needed, note=note)
                )
                try:
                    head = list(islice(parts, 2))
                except UnreadableFile as error:
                    yield file, str(error)
                    continue
                if len(head) == 2 or self.desk.source.schema_.freezes_values:
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
                for gathered in _gathered(judges.judged(tray.groups()), self.part_rows):
                    books.add(gathered)
                books.close(tray.rows_in)
                self._enter_columns(connection, tray.files)
            self.outcomes += books.outcomes
        for file in tray.files:
            yield file, None

    def _load_large(self, file: LandedFile, parts: Iterable[pl.DataFrame], judges: Judges) -> str | None:
        """Load one file part by part; a problem anywhere in it undoes all of it."""
        try:
            with self.warehouse.writing() as connection:
                books = Books(self.desk, connection, [file])
                heights: list[int] = []
                rows = (numbered(part, file, 0) for part in _counted(parts, heights))
                for gathered in _gathered(judges.judged(rows), self.part_rows):
                    books.add(gathered)
                books.close([sum(heights)])
                self._enter_columns(connection, [file])
        except UnreadableFile as error:
            return str(error)
        self.outcomes += books.outcomes
        return None

    def _enter_columns(self, connection: Connection, files: list[LandedFile]) -> None:
        """Write down the columns of loaded files."""
        columns = {file.file_id: self.columns.pop(file.file_id) for file in files if file.file_id in self.columns}
        insert(connection, TABLES["raw.file_columns"], columns_of_files(columns, self.desk.source))


@contextmanager
def _one_writing_thread(warehouse: Warehouse) -> Iterator[None]:
    """The database works with one thread for as long as the block runs, and writes each row group when it is full.

    Tables then grow by whole row groups, whatever the size of an insert; with more threads, what does not fill one is written
    twice. The other threads are the judges'.
    """
    with warehouse.opened() as connection:
        connection.execute("SET threads = 1")
        connection.execute("SET write_buffer_row_group_count = 1")
        try:
            yield
        finally:
            connection.execute("RESET threads")
            connection.execute("RESET write_buffer_row_group_count")


def _gathered(parts: Iterable[Judged], row_count: int) -> Iterator[list[Judged]]:
    """Judged parts, as many of them together as have about so many rows, or GATHERED_BYTES."""
    waiting: list[Judged] = []
    for part in parts:
        waiting.append(part)
        rows, size = sum(judged.row_count for judged in waiting), sum(judged.byte_count for judged in waiting)
        if rows >= row_count or size >= GATHERED_BYTES:
            yield waiting
            waiting = []
    if waiting:
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
        self.parts += [numbered(part, file, len(self.files)) for part in parts]
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


def numbered(part: pl.DataFrame, file: LandedFile, number: int) -> pl.DataFrame:
    """Rows of a file with its number among the files at hand, and its landing time."""
    return part.with_columns(file=pl.lit(number, pl.UInt32), landed_at=pl.lit(file.judged_at, TIME))


class Books:
    """What becomes of the rows of some files inside one transaction."""

    def __init__(self, desk: Desk, connection: Connection, files: list[LandedFile]) -> None:
        self.desk = desk
        self.connection = connection
        self.files = files
        self.file_ids = pl.Series("file_id", [file.file_id for file in files], dtype=pl.String)
        self.outcomes: Counter[str] = Counter()
        self.blocked: list[pl.DataFrame] = []
        self.versions = Versions(desk.name, EVENT_TABLES[desk.source.kind], connection, files)

    def add(self, parts: Sequence[Judged]) -> None:
        """Give each row its outcome, write what is loaded, and take back what a better row displaces."""
        source = self.desk.source
        judged = pl.concat([part.rows for part in parts], rechunk=True)
        counted, outdated = self.versions.split(judged) if source.whole else (judged, judged.clear())
        earlier = self._known("ingest/earlier_rows.sql", counted) if source.identical_rows == "keep" else NONE_EARLIER
        keyed = with_keys(counted, name=self.desk.name, source=source, earlier=earlier)
        settlement = settle(keyed, self._known("ingest/held_rows.sql", keyed), source=source)
        self._displace(settlement.displaced)
        rows = together(settlement.outcomes, outdated)
        self._write_outcomes(rows)
        places = accumulate((part.row_count for part in parts), initial=0)
        touched = [
            self._write_events(part.canonical, rows.slice(place, part.row_count))
            for place, part in zip(places, parts, strict=False)
        ]
        self._regroup(pl.concat(touched).unique())
        self.blocked += [part.blocked for part in parts]
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
        self._write_blocked()
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

    def _write_blocked(self) -> None:
        """Write down the identifiers that name nobody, added up over the parts of each file."""
        if self.blocked:
            counted = pl.concat(self.blocked).group_by("file", "namespace", "value_class").agg(pl.col("rows").sum())
            ordered = counted.sort("file", "namespace", "value_class")
            self._insert("raw.blocked_values", ordered.with_columns(file_id=self._file_ids(ordered)))

    def _write_events(self, canonical: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        """Write what the loaded ones among some rows tell; the ids of the groups that got lines."""
        source = self.desk.source
        loaded = rows.filter(pl.col("outcome") == "loaded").select("file", "row", "row_id", "row_key")
        if source.record:
            self._insert("raw.crm_records", self._sourced(records_of(canonical, loaded)))
        events = self._sourced(events_of(canonical, loaded, source=source))
        self._insert("raw.line_items" if source.group else EVENT_TABLES[source.kind], events)
        return events.select("event_id") if source.group else events.select("event_id").clear()

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
        losing = {"losing": "superseded" if self.desk.source.record else "conflict", "summary_from": SUMMARY_FROM}
        self._run("ingest/correct_outcomes.sql", losing, displaced=displaced)
        for table in ("web_events", "crm_events", "ad_spend", "crm_records"):
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
        return ask(self.connection, statement, parameters, **frames)

    def _run(self, statement: str, parameters: Mapping[str, Any], **frames: pl.DataFrame) -> None:
        run(self.connection, statement, parameters, **frames)
