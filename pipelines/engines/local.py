"""The local engine: transforms on buckets of whole customers, one after the other, on this machine.

Customer ids are hexadecimal digests, evenly spread, so a bucket is a range of ids: reading one is a range scan of tables
that are stored in order of customer, and memory is that of one bucket however long the history is.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.settings import Configuration
from pipelines.warehouse import Connection, Warehouse, insert, lazily, quoted, scalar, sql_text
from transforms.contracts import TABLES
from transforms.events import TIMELINE_INPUT, build_timeline
from transforms.funnel_stream import columns_needed
from transforms.funnels import funnel_entrant_groups, funnel_entrants
from transforms.identity import (
    NOTHING_RETRACTED,
    assign_shared_visitors,
    collect_evidence,
    collect_identifiers,
    merge_evidence,
    merge_identifiers,
    own_events,
    resolve_identity,
    shared_identifications,
)
from transforms.journey import Funnel

FUNNEL_TABLES = ("mart.funnel_entrants", "mart.funnel_entrant_groups")

Transform = Callable[..., pl.LazyFrame]
Merge = Callable[[Iterable[pl.LazyFrame]], pl.LazyFrame]


@dataclass(frozen=True)
class Bucket:
    """The customers whose id lies in [low, high)."""

    low: str
    high: str


@dataclass(frozen=True)
class LocalEngine:
    """Runs transforms over the build file."""

    warehouse: Warehouse
    configuration: Configuration

    def per_customer(
        self, transform: Transform, *, reads: Mapping[str, str], writes: str, settings: Mapping[str, Any]
    ) -> dict[str, int]:
        """Rewrite one table from others, bucket by bucket.

        `reads` maps the transform's arguments to tables that hold customer_id; `settings` are its other arguments.
        Returns the number of rows written. One transaction: the table is whole, old or new.
        """
        rows = 0
        with self.warehouse.writing() as connection:
            connection.execute(f"DELETE FROM {quoted(writes)}")
            for bucket in self._buckets(connection):
                frames = {name: read_bucket(connection, table, bucket) for name, table in reads.items()}
                rows += insert(connection, TABLES[writes], transform(**frames, **settings).collect())
        return {writes: rows}

    def identity(self, *, retracted: pl.DataFrame = NOTHING_RETRACTED) -> dict[str, int]:
        """Rewrite who is who: collect the evidence of all events and records, part by part, and resolve it.

        `retracted` has the pair_id of identifiers that somebody has taken apart.
        """
        identity = self.configuration.journey.identity
        with self.warehouse.writing() as connection:
            nothing = pl.LazyFrame()
            room = self.configuration.engine.bucket_rows
            records = connection.sql("FROM raw.crm_records").pl().lazy()
            edges = [collect_evidence(nothing, records, identity=identity).collect()]
            identifiers = [collect_identifiers(nothing, records).collect()]
            for batch in connection.sql(sql_text("core/identity_events.sql")).arrow(room):
                events = pl.DataFrame(batch).lazy()
                edges.append(collect_evidence(events, nothing, identity=identity).collect())
                identifiers.append(collect_identifiers(events, nothing).collect())
                edges = folded(edges, merge_evidence, room=room)
                identifiers = folded(identifiers, merge_identifiers, room=room)
            ledger, seen = together(edges, merge_evidence), together(identifiers, merge_identifiers)
            resolution = resolve_identity(ledger, seen.lazy(), identity=identity, retracted=retracted)
            frames = {
                "core.identity_edges": resolution.edges,
                "core.identity_map": resolution.identity_map,
                "core.customer_aliases": resolution.aliases,
            }
            return {name: rewrite(connection, name, frame) for name, frame in frames.items()}

    def funnels(self, funnels: Sequence[Funnel], *, horizons: Mapping[str, datetime | None]) -> dict[str, int]:
        """Rewrite the counted attempts of every funnel, and the groups of their breakdowns.

        Customers and sessions are worked on bucket by bucket; accounts span customers, so theirs are read whole.
        """
        by_customer = [funnel for funnel in funnels if funnel.unit != "account"]
        by_account = [funnel for funnel in funnels if funnel.unit == "account"]
        with self.warehouse.writing() as connection:
            counts = {name: rewrite(connection, name, TABLES[name].empty()) for name in FUNNEL_TABLES}
            for bucket in self._buckets(connection) if by_customer else ():
                events = read_bucket(connection, "core.events", bucket)
                self._add_funnels(connection, events, by_customer, horizons, counts)
            if by_account:
                events = lazily(connection, "FROM core.events WHERE account_id IS NOT NULL")
                self._add_funnels(connection, events, by_account, horizons, counts)
        return counts

    def _add_funnels(
        self,
        connection: Connection,
        events: pl.LazyFrame,
        funnels: Sequence[Funnel],
        horizons: Mapping[str, datetime | None],
        counts: dict[str, int],
    ) -> None:
        columns = sorted(set().union(*(columns_needed(funnel) for funnel in funnels)))
        timeout = self.configuration.journey.sessions.timeout
        read = events.select(columns).collect().lazy()
        for funnel in funnels:
            horizon = horizons[funnel.name]
            entrants = funnel_entrants(read, funnel, horizon=horizon, session_timeout=timeout).collect()
            groups = funnel_entrant_groups(
                read, entrants.lazy(), funnel, horizon=horizon, session_timeout=timeout
            ).collect()
            for name, frame in zip(FUNNEL_TABLES, (entrants, groups), strict=True):
                counts[name] += insert(connection, TABLES[name], frame)

    def timeline(self) -> dict[str, int]:
        """Rewrite core.events: give every raw event to its customer, then build each customer's timeline."""
        folder = self.warehouse.path.parent / "buckets"
        shutil.rmtree(folder, ignore_errors=True)
        rows = 0
        with self.warehouse.writing() as connection:
            connection.execute("DELETE FROM core.events")
            count = self._bucket_count(scalar(connection, sql_text("core/event_total.sql")))
            for part, owned in enumerate(self._owned(connection)):
                write_buckets(owned, folder, part, count)
            for number in range(count):
                files = sorted((folder / f"{number:05d}").glob("*.parquet"))
                if files:
                    timeline = build_timeline(pl.scan_parquet(files), journey=self.configuration.journey)
                    rows += insert(connection, TABLES["core.events"], timeline.collect())
        shutil.rmtree(folder, ignore_errors=True)
        return {"core.events": rows}

    def _owned(self, connection: Connection) -> Iterator[pl.DataFrame]:
        """What the timeline reads of raw events, with their customer, in parts; shared visitors' events last, all at once."""
        identity = self.configuration.journey.identity
        shared: list[pl.DataFrame] = []
        reader = connection.sql(sql_text("core/owner_candidates.sql")).arrow(self.configuration.engine.bucket_rows)
        for batch in reader:
            frame = pl.DataFrame(batch)
            is_shared = (pl.col("visitor_status") == "shared").fill_null(False)
            shared.append(frame.filter(is_shared))
            owned = own_events(frame.lazy().filter(~is_shared), identity=identity)
            yield owned.select(TIMELINE_INPUT).collect()
        if shared:
            told = shared_identifications(
                connection.sql("FROM core.identity_edges").pl().lazy(),
                connection.sql("FROM core.identity_map").pl().lazy(),
            )
            sessions = self.configuration.journey.sessions
            owned = assign_shared_visitors(
                pl.concat(shared).lazy(),
                identity=identity,
                visit_timeout=sessions.timeout,
                passive=sessions.passive,
                extending=sessions.extending,
                identifications=told,
            )
            yield owned.select(TIMELINE_INPUT).collect()

    def _buckets(self, connection: Connection) -> Iterator[Bucket]:
        count = self._bucket_count(scalar(connection, "SELECT count(*) FROM core.events"))
        edges = ["", *(f"{number * 16**8 // count:08x}" for number in range(1, count)), "g"]
        yield from (Bucket(low, high) for low, high in pairwise(edges))

    def _bucket_count(self, events: int) -> int:
        return max(1, -(-events // self.configuration.engine.bucket_rows))


def folded(parts: list[pl.DataFrame], merge: Merge, *, room: int) -> list[pl.DataFrame]:
    """The parts, put together once those after the first outgrow it and the room there is."""
    later = sum(part.height for part in parts[1:])
    return [together(parts, merge)] if later > max(room, parts[0].height) else parts


def together(parts: list[pl.DataFrame], merge: Merge) -> pl.DataFrame:
    """One frame of all parts."""
    return merge(part.lazy() for part in parts).collect()


def rewrite(connection: Connection, name: str, frame: pl.DataFrame) -> int:
    """Put these rows in place of a table's, within the transaction at hand."""
    connection.execute(f"DELETE FROM {quoted(name)}")
    return insert(connection, TABLES[name], frame)


def read_bucket(connection: Connection, table: str, bucket: Bucket) -> pl.LazyFrame:
    """The rows of one bucket's customers; only the columns that the transform asks for are read."""
    sql = f"FROM {quoted(table)} WHERE customer_id >= $low AND customer_id < $high"
    return lazily(connection, sql, {"low": bucket.low, "high": bucket.high})


def write_buckets(owned: pl.DataFrame, folder: Path, part: int, count: int) -> None:
    """Spread owned events over the bucket folders, by the leading digits of their customer."""
    number = pl.col("customer_id").str.slice(0, 8).str.to_integer(base=16) * count // 16**8
    for (bucket,), rows in (
        owned.with_columns(bucket=number).partition_by("bucket", as_dict=True, include_key=False).items()
    ):
        target = folder / f"{bucket:05d}"
        target.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(target / f"{part:05d}.parquet", compression="lz4")
