"""Spark tasks: what a worker does with one part of the rows, or with one bucket of whole customers, identifiers or people.

Tasks are the functions of transforms/ between two exchanges. Between them rows travel as pieces: all rows of one kind that a
task has for one bucket, packed as one value, so that Spark moves few and large values and never looks inside.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
import pyarrow as pa

from pipelines.engines.local import attempts_of, columns_read, evidence
from pipelines.engines.per_customer import PER_CUSTOMER
from pipelines.engines.storage import Storage
from transforms.contracts import CORE_CUSTOMER_ALIASES, CORE_IDENTITY_EDGES, CORE_IDENTITY_MAP, IDENTIFIERS
from transforms.events import OWNED, TIMELINE_INPUT, build_timeline
from transforms.hashing import digest_id
from transforms.identity import (
    NOTHING_RETRACTED,
    assign_shared_visitors,
    collect_identifiers,
    merge_evidence,
    merge_identifiers,
    own_events,
    pointers,
    resolve_identity,
)
from transforms.journey import Funnel, Journey

NODE_DIGITS = 15
PIECES = "kind string, bucket int, rows binary"
FILES = "name string, bucket int, height long"
LINKS = "left long, right long"
PIECE_SCHEMA = pa.schema([("kind", pa.string()), ("bucket", pa.int32()), ("rows", pa.binary())])
FILE_SCHEMA = pa.schema([("name", pa.string()), ("bucket", pa.int32()), ("height", pa.int64())])
IS_SHARED = (pl.col("visitor_status") == "shared").fill_null(False)
VISITOR = pl.coalesce("anonymous_id", pl.lit("device_id:") + pl.col("device_id"))

Frames = Mapping[str, pl.DataFrame]
Piece = tuple[str, int, pl.DataFrame]
Batches = Iterator[pa.RecordBatch]
Run = Callable[[Batches], Batches]


@dataclass(frozen=True)
class Work:
    """What all tasks of a job know: where the frames lie, in how many parts and buckets, and the rules."""

    storage: Storage
    journey: Journey
    buckets: int
    parts: Mapping[str, int]
    retracted: pl.DataFrame = field(default_factory=NOTHING_RETRACTED.clone)
    funnels: Sequence[Funnel] = ()
    horizons: Mapping[str, datetime | None] = field(default_factory=dict)
    files: frozenset[tuple[str, int]] = frozenset()

    def count(self, *names: str) -> int:
        """How many parts these have together."""
        return sum(self.parts.get(name, 0) for name in names)

    def part(self, number: int, *names: str) -> tuple[str, int]:
        """Which of these names, and which of its parts, a number among all of their parts means."""
        for name in names:
            if number < self.parts.get(name, 0):
                return name, number
            number -= self.parts.get(name, 0)
        raise IndexError(f"no part of this number among {', '.join(names)}")

    def write(self, name: str, number: int, frame: pl.DataFrame) -> Iterator[Piece]:
        """Write the rows of a table that belong to one bucket, and say so; no file is written for none."""
        if frame.height:
            self.storage.write(frame, name, number)
            yield name, number, frame


SourceTask = Callable[[Work, int], Iterable[Piece]]
PieceTask = Callable[[Work, int, Frames], Iterable[Piece]]
RowTask = Callable[[Work, int, pl.DataFrame], Iterable[Piece]]
Give = Callable[[Iterable[Piece]], Batches]


# ---------------------------------------------------------------- pieces


def packed(pieces: Iterable[Piece]) -> Batches:
    """Pieces as Spark moves them."""
    for kind, bucket, frame in pieces:
        buffer = io.BytesIO()
        frame.write_ipc(buffer, compression="lz4")
        yield pa.RecordBatch.from_pydict(
            {"kind": [kind], "bucket": [bucket], "rows": [buffer.getvalue()]}, PIECE_SCHEMA
        )


def unpacked(batches: Batches) -> dict[str, pl.DataFrame]:
    """All rows of each kind that arrived."""
    frames: dict[str, list[pl.DataFrame]] = {}
    for batch in batches:
        for kind, rows in zip(batch.column("kind"), batch.column("rows"), strict=True):
            frames.setdefault(kind.as_py(), []).append(pl.read_ipc(io.BytesIO(rows.as_py())))
    return {kind: pl.concat(each) for kind, each in frames.items()}


def written(pieces: Iterable[Piece]) -> Batches:
    """What was written: the name of the file, its bucket, its rows."""
    for name, bucket, frame in pieces:
        yield pa.RecordBatch.from_pydict({"name": [name], "bucket": [bucket], "height": [frame.height]}, FILE_SCHEMA)


def as_rows(pieces: Iterable[Piece]) -> Batches:
    """Rows of numbers that Spark itself works on."""
    for _kind, _bucket, frame in pieces:
        yield from frame.to_arrow().to_batches()


def from_numbers(work: Work, task: SourceTask, give: Give) -> Run:
    """A task per number as a function over Arrow batches of numbers."""

    def run(batches: Batches) -> Batches:
        for batch in batches:
            for number in batch.column("id").to_pylist():
                yield from give(task(work, number))

    return run


def from_pieces(work: Work, task: PieceTask, give: Give) -> Run:
    """A task per bucket as a function over the pieces of that bucket, which are a partition of their own."""

    def run(batches: Batches) -> Batches:
        frames = unpacked(batches)
        if frames:
            yield from give(task(work, partition(), frames))

    return run


def from_rows(work: Work, task: RowTask, give: Give) -> Run:
    """A task per bucket as a function over the rows of that bucket, which are a partition of their own."""

    def run(batches: Batches) -> Batches:
        rows = [pl.DataFrame(pa.Table.from_batches([batch])) for batch in batches]
        if rows:
            yield from give(task(work, partition(), pl.concat(rows)))

    return run


def partition() -> int:
    """The partition that this task works on."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return int(context.partitionId()) if context else 0


def spread(kind: str, frame: pl.DataFrame) -> Iterator[Piece]:
    """The rows of a frame as one piece per value of its column `bucket`, which is taken out."""
    for (bucket,), rows in frame.partition_by("bucket", as_dict=True, include_key=False).items():
        yield kind, int(bucket), rows


def node(namespace: str, value: str) -> pl.Expr:
    """An identifier as a number; that two may share one costs nothing, for whatever is put together is resolved as a whole."""
    return digest_id(namespace, value).str.slice(0, NODE_DIGITS).str.to_integer(base=16)


def text_bucket(text: pl.Expr, count: int) -> pl.Expr:
    """The bucket of a text."""
    return digest_id(text).str.slice(0, NODE_DIGITS).str.to_integer(base=16) % count


def customer_bucket(count: int) -> pl.Expr:
    """The bucket of a customer: ranges of ids, so that buckets in order are customers in order."""
    return pl.col("customer_id").str.slice(0, 8).str.to_integer(base=16) * count // 16**8


# ---------------------------------------------------------------- who is who


def evidence_of(work: Work, number: int) -> Iterator[Piece]:
    """What one part of the events or records shows of who is who, spread over buckets of identifiers."""
    kind, part = work.part(number, "events", "records")
    rows, nothing = work.storage.read(kind, part), pl.LazyFrame()
    events, records = (rows, nothing) if kind == "events" else (nothing, rows)
    found = evidence(events, records, identity=work.journey.identity)
    near, own = node("from_namespace", "from_value"), node("namespace", "value")
    yield from spread("ledger", found.edges.with_columns(bucket=near % work.buckets))
    yield from spread("identifiers", found.identifiers.with_columns(bucket=own % work.buckets))


def merged(work: Work, bucket: int, frames: Frames) -> Iterator[Piece]:
    """The ledger and the identifiers of one bucket, put together from all parts."""
    if "ledger" in frames:
        yield from work.write("ledger", bucket, merge_evidence([frames["ledger"].lazy()]).collect())
    if "identifiers" in frames:
        yield from work.write("identifiers", bucket, merge_identifiers([frames["identifiers"].lazy()]).collect())


def links_of(work: Work, number: int) -> Iterator[Piece]:
    """The edges of one bucket of the ledger as pairs of nodes."""
    ends = {"left": node("from_namespace", "from_value"), "right": node("to_namespace", "to_value")}
    if ("ledger", number) in work.files:
        yield "links", number, work.storage.read("ledger", number).select(**ends).unique().collect()


def by_component(work: Work, bucket: int, components: pl.DataFrame) -> Iterator[Piece]:
    """The ledger and the identifiers of one bucket, spread over buckets of whole components.

    `components` has node and component of the nodes of the bucket that have edges; any other is a component by itself.
    """
    known = components.lazy().select("node", "component").drop_nulls()
    for name, ends in (("ledger", ("from_namespace", "from_value")), ("identifiers", ("namespace", "value"))):
        if (name, bucket) in work.files:
            rows = work.storage.read(name, bucket).with_columns(node=node(*ends)).join(known, on="node", how="left")
            target = pl.coalesce("component", "node") % work.buckets
            yield from spread(name, rows.select(pl.exclude("node", "component"), bucket=target).collect())


def resolved(work: Work, bucket: int, frames: Frames) -> Iterator[Piece]:
    """Who is who among the identifiers of whole components."""
    nobody = collect_identifiers(pl.LazyFrame(), pl.LazyFrame()).collect()
    found = resolve_identity(
        frames.get("ledger", CORE_IDENTITY_EDGES.empty()),
        frames.get("identifiers", nobody),
        identity=work.journey.identity,
        retracted=work.retracted,
    )
    yield from work.write("core.identity_edges", bucket, found.edges)
    yield from work.write("core.identity_map", bucket, found.identity_map)
    yield from work.write("core.customer_aliases", bucket, found.aliases)


# ---------------------------------------------------------------- whose event it is


def asked(work: Work, number: int) -> Iterator[Piece]:
    """The identifiers on one part of the events, or one part of the map, spread over buckets of identifiers."""
    kind, part = work.part(number, "events", "core.identity_map")
    if kind == "events":
        on_events = work.storage.read(kind, part).select(IDENTIFIERS).unique()
        named = on_events.unpivot(on=IDENTIFIERS, variable_name="namespace", value_name="value").drop_nulls().unique()
        rows, kind = named.with_columns(part=pl.lit(part, pl.Int32)), "asked"
    else:
        rows, kind = work.storage.read(kind, part).select("namespace", "value", "customer_id", "status"), "told"
    yield from spread(kind, rows.with_columns(bucket=node("namespace", "value") % work.buckets).collect())


def answered(_work: Work, _bucket: int, frames: Frames) -> Iterator[Piece]:
    """What the map says of the identifiers of one bucket, spread over the parts that asked."""
    if {"asked", "told"} <= set(frames):
        found = frames["asked"].join(frames["told"], on=["namespace", "value"])
        yield from spread("told", found.rename({"part": "bucket"}))


def pointed(work: Work, part: int, frames: Frames) -> Iterator[Piece]:
    """Write what the map says of one part's identifiers; a second piece tells of its shared visitors."""
    told = frames["told"]
    yield from work.write("told", part, told)
    yield "shared", part, told.filter(pl.col("status") == "shared")


def with_owners(work: Work, part: int) -> pl.LazyFrame:
    """The events of one part with the customer that each of their identifiers points at, and the status of their visitor."""
    events = work.storage.read("events", part)
    told = work.storage.read("told", part) if ("told", part) in work.files else CORE_IDENTITY_MAP.empty().lazy()
    return events.join(pointers(events, told), on=IDENTIFIERS, how="left", nulls_equal=True)


def shared_events(work: Work, number: int) -> Iterator[Piece]:
    """The events of shared visitors on one part, spread over buckets of visitors."""
    rows = with_owners(work, number).filter(IS_SHARED)
    yield from spread("events", rows.with_columns(bucket=text_bucket(VISITOR, work.buckets)).collect())


def seated(work: Work, bucket: int, frames: Frames) -> Iterator[Piece]:
    """Write the events of the shared visitors of one bucket with the customer of each."""
    journey, sessions = work.journey, work.journey.sessions
    owned = assign_shared_visitors(
        frames["events"].lazy(),
        identity=journey.identity,
        visit_timeout=sessions.timeout,
        passive=sessions.passive_kinds,
        extending=sessions.extending,
        identifications=work.storage.read("identifications", 0),
    )
    yield from work.write("seated", bucket, owned.select(TIMELINE_INPUT).collect())


# ---------------------------------------------------------------- whole customers


def owned(work: Work, number: int) -> Iterator[Piece]:
    """One part of the events, or of what is known of customers, spread over buckets of customers."""
    kind, part = work.part(number, "events", "seated", "core.identity_map", "core.customer_aliases")
    if kind == "events":
        rows = own_events(with_owners(work, part).filter(~IS_SHARED), identity=work.journey.identity).select(
            TIMELINE_INPUT
        )
    elif kind == "seated":
        rows, kind = (
            work.storage.read(kind, sorted(bucket for name, bucket in work.files if name == kind)[part]),
            "events",
        )
    else:
        rows = work.storage.read(kind, part).filter(pl.col("customer_id").is_not_null())
    yield from spread(kind, rows.with_columns(bucket=customer_bucket(work.buckets)).collect())


def customers(work: Work, bucket: int, frames: Frames) -> Iterator[Piece]:
    """Write the timeline of the customers of one bucket, and every table that follows from it."""
    events = frames.get("events", OWNED.empty())
    tables = {
        "core.identity_map": frames.get("core.identity_map", CORE_IDENTITY_MAP.empty()),
        "core.customer_aliases": frames.get("core.customer_aliases", CORE_CUSTOMER_ALIASES.empty()),
        "core.events": build_timeline(events.lazy(), journey=work.journey).collect(),
    }
    yield from work.write("core.events", bucket, tables["core.events"])
    for name, made in PER_CUSTOMER.items():
        read = {argument: tables[table].lazy() for argument, table in made.reads.items()}
        tables[name] = made.transform(**read, **made.rules(work.journey)).collect()
        yield from work.write(name, bucket, tables[name])


# ---------------------------------------------------------------- funnels


def searched(work: Work, number: int) -> Iterator[Piece]:
    """Write the attempts of the customers of one bucket at funnels of customers and sessions."""
    yield from _attempts(work, number, work.storage.read("core.events", number), is_of_accounts=False)


def of_accounts(work: Work, number: int) -> Iterator[Piece]:
    """The events of accounts in one bucket of customers, spread over buckets of accounts."""
    columns = columns_read(work.funnels, work.journey)
    rows = work.storage.read("core.events", number).filter(pl.col("account_id").is_not_null()).select(columns)
    yield from spread("events", rows.with_columns(bucket=text_bucket(pl.col("account_id"), work.buckets)).collect())


def searched_accounts(work: Work, bucket: int, frames: Frames) -> Iterator[Piece]:
    """Write the attempts of the accounts of one bucket at funnels of accounts."""
    yield from _attempts(work, work.buckets + bucket, frames["events"].lazy(), is_of_accounts=True)


def _attempts(work: Work, bucket: int, events: pl.LazyFrame, *, is_of_accounts: bool) -> Iterator[Piece]:
    funnels = [funnel for funnel in work.funnels if (funnel.unit == "account") == is_of_accounts]
    if not funnels:
        return
    found: dict[str, list[pl.DataFrame]] = {}
    for name, frame in attempts_of(events, funnels, work.horizons, journey=work.journey):
        found.setdefault(name, []).append(frame)
    for name, frames in found.items():
        yield from work.write(name, bucket, pl.concat(frames))
