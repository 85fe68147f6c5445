"""The local engine: transforms on buckets of whole customers, one after the other, on this machine.

Customer ids are hexadecimal digests, evenly spread, so a bucket is a range of ids: reading one is a range scan of tables
that are stored in order of customer, and memory is that of one bucket however long the history is.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.settings import Configuration
from pipelines.warehouse import Connection, Warehouse, insert, quoted, scalar, sql_text
from transforms.contracts import TABLES
from transforms.events import build_timeline
from transforms.identity import assign_shared_visitors, own_events

Transform = Callable[..., pl.LazyFrame]


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
        """Raw events with their customer, in parts; shared visitors' events last, all at once."""
        identity = self.configuration.journey.identity
        shared: list[pl.DataFrame] = []
        reader = connection.sql(sql_text("core/owner_candidates.sql")).arrow(self.configuration.engine.bucket_rows)
        for batch in reader:
            frame = pl.DataFrame(batch)
            is_shared = (pl.col("visitor_status") == "shared").fill_null(False)
            shared.append(frame.filter(is_shared))
            yield own_events(frame.filter(~is_shared).lazy(), identity=identity).collect()
        if shared:
            timeout = self.configuration.journey.sessions.timeout
            events = pl.concat(shared).lazy()
            yield assign_shared_visitors(events, identity=identity, visit_timeout=timeout).collect()

    def _buckets(self, connection: Connection) -> Iterator[Bucket]:
        count = self._bucket_count(scalar(connection, "SELECT count(*) FROM core.events"))
        edges = ["", *(f"{number * 16**8 // count:08x}" for number in range(1, count)), "g"]
        yield from (Bucket(low, high) for low, high in zip(edges, edges[1:], strict=False))

    def _bucket_count(self, events: int) -> int:
        return max(1, -(-events // self.configuration.engine.bucket_rows))


def read_bucket(connection: Connection, table: str, bucket: Bucket) -> pl.LazyFrame:
    """The rows of one bucket's customers; only the columns that the transform asks for are read."""
    sql = f"FROM {quoted(table)} WHERE customer_id >= $low AND customer_id < $high"
    return connection.sql(sql, params={"low": bucket.low, "high": bucket.high}).pl(lazy=True)


def write_buckets(owned: pl.DataFrame, folder: Path, part: int, count: int) -> None:
    """Spread owned events over the bucket folders, by the leading digits of their customer."""
    number = pl.col("customer_id").str.slice(0, 8).str.to_integer(base=16) * count // 16**8
    for (bucket,), rows in owned.with_columns(bucket=number).partition_by("bucket", as_dict=True, include_key=False).items():
        target = folder / f"{bucket:05d}"
        target.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(target / f"{part:05d}.parquet", compression="lz4")
