"""Sessions from events in order of arrival: the product, ClickHouse (embedded), DuckDB and pandas by window functions.

Usage: python -m benchmarks.sessions [--rows 1000000 10000000] [--runs 3] [--json]      (peers: the extra `bench`)

The answer is the session table: customer, start, end and number of events of each session, summed up to be compared.
"""

import tempfile
from datetime import timedelta
from pathlib import Path

import chdb
import duckdb
import pandas as pd
import polars as pl

from benchmarks.side_by_side import alone, arguments, compare, events_file, told
from transforms.sessions import session_numbers

GAP = timedelta(minutes=30)
Answer = tuple[int, int, int]


def ours(path: Path) -> Answer:
    """The product's session numbers, then a row a session."""
    events = pl.scan_parquet(path).select("customer_id", "occurred_at")
    numbered = session_numbers(events, by="customer_id", timeout=GAP)
    at = pl.col("occurred_at").to_physical()
    table = numbered.group_by("customer_id", "session_number").agg(start=at.min(), end=at.max(), events=pl.len())
    totals = table.select(pl.len(), (pl.col("end") - pl.col("start")).sum(), pl.col("events").max())
    rows, length, longest = totals.collect().row(0)
    return int(rows), int(length), int(longest)


def clickhouse(path: Path) -> Answer:
    """Window functions over the Parquet file."""
    late = (
        "if(toUnixTimestamp64Micro(occurred_at) - lagInFrame(toNullable(toUnixTimestamp64Micro(occurred_at))) OVER "
        "(PARTITION BY customer_id ORDER BY occurred_at ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) "
        f"<= {GAP // timedelta(microseconds=1)}, 0, 1)"
    )
    numbered = (
        f"SELECT customer_id, occurred_at, sum(opens) OVER (PARTITION BY customer_id ORDER BY occurred_at ROWS UNBOUNDED PRECEDING) "
        f"AS number FROM (SELECT customer_id, occurred_at, {late} AS opens FROM file('{path}', Parquet))"
    )
    table = (
        "SELECT toUnixTimestamp64Micro(max(occurred_at)) - toUnixTimestamp64Micro(min(occurred_at)) AS length, count() AS events "
        f"FROM ({numbered}) GROUP BY customer_id, number"
    )
    answer = chdb.query(f"SELECT count(), sum(length), max(events) FROM ({table})", "CSV").data()
    rows, length, longest = answer.strip().split(",")
    return int(rows), int(length), int(longest)


def with_duckdb(path: Path) -> Answer:
    """Window functions over the Parquet file."""
    row = duckdb.sql(f"""
        WITH marked AS (
            SELECT customer_id, occurred_at, occurred_at - lag(occurred_at) OVER customer > INTERVAL 30 MINUTE AS is_late
            FROM '{path}' WINDOW customer AS (PARTITION BY customer_id ORDER BY occurred_at)
        ), numbered AS (
            SELECT customer_id, occurred_at,
                sum(coalesce(is_late, true)::INT) OVER (PARTITION BY customer_id ORDER BY occurred_at ROWS UNBOUNDED PRECEDING) AS number
            FROM marked
        ), sessions AS (
            SELECT epoch_us(max(occurred_at)) - epoch_us(min(occurred_at)) AS length, count(*) AS events
            FROM numbered GROUP BY customer_id, number
        )
        SELECT count(*), sum(length)::BIGINT, max(events) FROM sessions
    """).fetchall()[0]
    return int(row[0]), int(row[1]), int(row[2])


def with_pandas(path: Path) -> Answer:
    """A sort, a difference and a cumulative sum."""
    frame = pd.read_parquet(path, columns=["customer_id", "occurred_at"]).sort_values(["customer_id", "occurred_at"])
    at = frame["occurred_at"].astype("int64")
    is_new = frame["customer_id"] != frame["customer_id"].shift()
    number = (is_new | (at.diff() > GAP // timedelta(microseconds=1))).cumsum()
    table = at.groupby(number).agg(["min", "max", "size"])
    return len(table), int((table["max"] - table["min"]).sum()), int(table["size"].max())


SESSIONS = {"journeys": ours, "clickhouse": clickhouse, "duckdb": with_duckdb, "pandas": with_pandas}


def main() -> None:
    asked_for = arguments(__doc__.splitlines()[0], sizes=[1_000_000, 10_000_000])
    if asked_for.only:
        alone(SESSIONS[asked_for.only], asked_for.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        results = [
            compare(
                f"sessions of {rows:,} events",
                SESSIONS,
                events_file(Path(folder), rows),
                runs=asked_for.runs,
                program="sessions",
            )
            for rows in asked_for.rows
        ]
    print(told(results, as_json=asked_for.json))


if __name__ == "__main__":
    main()
