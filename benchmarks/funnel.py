"""A funnel of six steps within seven days, exact: the product, ClickHouse (embedded), pandas, and a bare scan of the columns.

Usage: python -m benchmarks.funnel [--rows 1000000 10000000] [--runs 3] [--json]      (peers: the extra `bench`)

The product finds every counted attempt with its chain, status and times (MART_FUNNEL_ENTRANTS), and is asked a second time
with five breakdowns; windowFunnel gives the depth alone, of its own MergeTree and of the Parquet file. The answer that has to
be equal is how many customers reach each step; the scan and the breakdowns only have to read as many rows.
"""

import tempfile
from functools import cache
from pathlib import Path

import chdb.session
import duckdb
import pandas as pd
import polars as pl

from benchmarks.side_by_side import STEPS, alone, arguments, compare, events_file, told
from transforms.funnels import funnel_entrant_groups, funnel_entrants
from transforms.journey import Funnel

WEEK_US = 7 * 86_400 * 10**6
FUNNEL = {"name": "checkout", "steps": [{"event": step} for step in STEPS], "window": "7d"}
BREAKDOWNS = ["event", "source", "stage", "device", "country"]
CONDITIONS = ", ".join(f"event = '{step}'" for step in STEPS)
LEVELS = (
    f"SELECT windowFunnel({WEEK_US})(toUInt64(toUnixTimestamp64Micro(occurred_at)), {CONDITIONS}) AS level FROM {{table}} "
    "GROUP BY customer_id"
)
COUNTS = ", ".join(f"countIf(level >= {number})" for number in range(1, len(STEPS) + 1))


def ours(path: Path) -> list[int]:
    """How many customers reach each step, by the product's entrants."""
    best = entrants(path, Funnel.model_validate(FUNNEL)).filter("is_best")
    return [best.filter(pl.col("depth") >= number).height for number in range(1, len(STEPS) + 1)]


def as_stored(path: Path) -> list[int]:
    """The same of events that lie by customer and time, as core.events does; laying them so is not timed (it is warmed up)."""
    return ours(by_customer(path))


@cache
def by_customer(path: Path) -> Path:
    """The events by customer and time."""
    stored = path.with_suffix(".stored.parquet")
    pl.scan_parquet(path).sort("customer_id", "occurred_at", "event_id").sink_parquet(stored)
    return stored


def with_breakdowns(path: Path) -> list[int]:
    """The same, with the groups of five breakdowns beside it."""
    funnel = Funnel.model_validate({**FUNNEL, "breakdowns": BREAKDOWNS})
    path = by_customer(path)
    events, found = scanned(path), entrants(path, funnel)
    funnel_entrant_groups(events, found.lazy(), funnel, horizon=None).collect()
    best = found.filter("is_best")
    return [best.filter(pl.col("depth") >= number).height for number in range(1, len(STEPS) + 1)]


def entrants(path: Path, funnel: Funnel) -> pl.DataFrame:
    """MART_FUNNEL_ENTRANTS of the file."""
    return funnel_entrants(scanned(path), funnel, horizon=None).collect()


def scanned(path: Path) -> pl.LazyFrame:
    """The events as columns of core.events."""
    return pl.scan_parquet(path).with_columns(
        source=pl.lit("web"),
        seq=pl.lit(0, dtype=pl.Int64),
        stage=pl.lit("consideration"),
        device=pl.col("event_id").str.slice(9),
        country=pl.col("event_id").str.slice(8),
    )


def clickhouse_parquet(path: Path) -> list[int]:
    """windowFunnel over the Parquet file."""
    return asked(f"file('{path}', Parquet)")


def clickhouse_mergetree(path: Path) -> list[int]:
    """windowFunnel over a MergeTree that is ordered by customer and time; filling it is not timed (it is warmed up)."""
    return asked(merge_tree(path))


def asked(table: str) -> list[int]:
    """The counts of ClickHouse."""
    answer = session().query(f"SELECT {COUNTS} FROM ({LEVELS.format(table=table)})", "CSV").data()
    return [int(count) for count in answer.strip().split(",")]


@cache
def session() -> chdb.session.Session:
    """One embedded server."""
    return chdb.session.Session()


@cache
def merge_tree(path: Path) -> str:
    """The name of a MergeTree with the file's events."""
    session().query("CREATE DATABASE IF NOT EXISTS bench")
    session().query(
        f"CREATE TABLE bench.{path.stem} (customer_id String, event LowCardinality(String), occurred_at DateTime64(6, 'UTC')) "
        "ENGINE = MergeTree ORDER BY (customer_id, occurred_at)"
    )
    session().query(
        f"INSERT INTO bench.{path.stem} SELECT customer_id, event, occurred_at FROM file('{path}', Parquet)"
    )
    return f"bench.{path.stem}"


def with_pandas(path: Path) -> list[int]:
    """The chain by sorting, and per step the latest start that has come that far, forward-filled within the customer."""
    frame = pd.read_parquet(path, columns=["customer_id", "event", "occurred_at"])
    frame = frame.sort_values(["customer_id", "occurred_at"], kind="stable")
    customer = frame["customer_id"].astype("category").cat.codes
    at = frame["occurred_at"].astype("int64")
    reached = []
    start = at.where(frame["event"] == STEPS[0])
    for number, step in enumerate(STEPS):
        if number:
            before = start.groupby(customer).ffill()
            start = before.where((frame["event"] == step) & (at - before <= WEEK_US))
        reached.append(int(customer[start.notna()].nunique()))
    return reached


def bare_scan(path: Path) -> int:
    """Reading the columns that a funnel needs, and nothing else."""
    return int(duckdb.sql(f"SELECT count(hash(customer_id, event, occurred_at)) FROM '{path}'").fetchall()[0][0])


FUNNELS = {
    "journeys": as_stored,
    "journeys, five breakdowns": with_breakdowns,
    "journeys, in order of arrival": ours,
    "clickhouse, MergeTree": clickhouse_mergetree,
    "clickhouse, Parquet": clickhouse_parquet,
    "pandas": with_pandas,
}


def main() -> None:
    asked_for = arguments(__doc__.splitlines()[0], sizes=[1_000_000, 10_000_000])
    if asked_for.only:
        alone({**FUNNELS, "scan": bare_scan}[asked_for.only], asked_for.path)
        return
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in asked_for.rows:
            path = events_file(Path(folder), rows)
            title = f"funnel of 6 steps, 7 days, {rows:,} events"
            results.append(compare(title, FUNNELS, path, runs=asked_for.runs, program="funnel"))
            scan = compare(title, {"scan": bare_scan}, path, runs=asked_for.runs, program="funnel")["rows"][0]
            ours_seconds = results[-1]["rows"][0]["seconds"]
            results[-1]["rows"].append(
                {
                    **scan,
                    "contender": "bare scan of the columns",
                    "times_ours": round(scan["seconds"] / ours_seconds, 2),
                }
            )
    print(told(results, as_json=asked_for.json))


if __name__ == "__main__":
    main()
