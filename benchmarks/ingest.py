"""Ingest of one large NDJSON file, side by side: the product, DuckDB's read_json with errors ignored, a Python json loop.

Usage: python benchmarks/ingest.py [--rows 1000000 10000000] [--runs 3] [--large-runs 1] [--seed 1] [--json]

One row in a thousand is broken (half of a line), one in a hundred is there twice. Every contender runs in a process of
its own, in turn with the others, so that its peak memory is its own (a process starts with the peak of the one that
started it, so the files are written by another one); what is timed is the load into a new file up to the
closed database, not the start of Python. Only the product keeps the broken rows in the database, with outcomes of all rows.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.ingest import load_new_files
from pipelines.landing import JOURNAL
from pipelines.warehouse import Warehouse
from transforms.hashing import digest_id
from transforms.journey import Journey
from transforms.mapping import Source

LARGE = 5_000_000
CHUNK = 500_000
BROKEN_EVERY = 1000
REPEATED_EVERY = 100
LOOP_BATCH = 100_000
FIELDS = (
    "event_id",
    "event",
    "occurred_at",
    "anonymous_id",
    "user_id",
    "url",
    "referrer",
    "user_agent",
    "value",
    "currency",
)
WEB = {
    "format": "ndjson",
    "files": "*.ndjson",
    "fields": {name: name for name in FIELDS},
    "properties": ["properties"],
}
EVENTS = ("page_view", "product_view", "search", "add_to_cart", "checkout_started", "order_placed")
SHARES = (0.5, 0.25, 0.1, 0.08, 0.04, 0.03)
BROWSERS = ("Chrome/126.0.{}.0 Safari/537.36", "Version/17.{} Safari/605.1.15", "Gecko/20100101 Firefox/127.{}")
SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "Linux; Android 14; Pixel 8",
    "X11; Linux x86_64",
)
CAMPAIGN = "?utm_source={}&utm_medium={}&utm_campaign=c{}"
CAMPAIGNS = [
    CAMPAIGN.format(source, medium, number)
    for number in range(20)
    for source, medium in (("google", "cpc"), ("facebook", "paid_social"), ("newsletter", "email"))
]
REFERRERS = (
    "https://www.google.com/",
    "https://www.bing.com/search?q=shoes",
    "https://l.facebook.com/",
    "https://shop.example/",
)


# ---------------------------------------------------------------- the file


def write_file(path: Path, *, rows: int, seed: int) -> None:
    """Write rows of web events as lines of JSON, chunk by chunk."""
    agents = [f"Mozilla/5.0 ({system}) AppleWebKit/537.36 {browser.format(number)}"
              for system in SYSTEMS for browser in BROWSERS for number in range(20)]  # fmt: skip
    with path.open("wb") as file:
        for start in range(0, rows, CHUNK):
            chunk = lines(start, min(CHUNK, rows - start), agents, np.random.default_rng([seed, start]))
            file.write(("\n".join(chunk.to_list()) + "\n").encode())


def lines(start: int, count: int, agents: list[str], random: np.random.Generator) -> pl.Series:
    """Lines of JSON, some of them broken, some of them a repetition of one before."""
    event = pl.Series(random.choice(EVENTS, count, p=SHARES))
    product, visitor = random.integers(0, 5000, count), random.integers(0, 1 + start + count // 2, count)
    second = 1_767_225_600_000 + (start + np.arange(count)) * 500 + random.integers(0, 500, count)
    amount = random.integers(500, 30_000, count)
    frame = pl.DataFrame(
        {"number": np.arange(start, start + count), "event": event, "product": product, "visitor": visitor}
    )
    chance = pl.Series(random.random(count))
    pick = pl.DataFrame({"campaign": gathered(CAMPAIGNS, random, count), "site": gathered(REFERRERS, random, count)})
    page = pl.concat_str(pl.lit("https://shop.example/products/"), "product")
    order = pl.col("event") == "order_placed"
    told = frame.hstack(pick).select(
        event_id=identifier("number"),
        event="event",
        occurred_at=pl.from_epoch(pl.Series(second), time_unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
        anonymous_id=identifier("visitor"),
        user_id=pl.when(pl.col("visitor") % 10 < 3).then(pl.concat_str(pl.lit("u"), "visitor")),
        url=pl.when(chance < 0.2).then(pl.concat_str(page, "campaign")).otherwise(page),
        referrer=pl.when(chance < 0.5).then("site"),
        user_agent=pl.Series(agents).gather(frame["visitor"] % len(agents)),
        value=pl.when(order).then(pl.Series(amount) / 100),
        currency=pl.when(order).then(pl.lit("EUR")),
        properties=pl.struct(
            pl.concat_str(pl.lit("p-"), "product").alias("product_id"),
            (pl.col("product") % 12).alias("shelf"),
            (pl.Series(amount) / 100).alias("price"),
            (pl.col("product") % 2 == 0).alias("in_stock"),
        ),
    )
    text = told.select(
        line=pl.struct(pl.all()).struct.json_encode().str.replace_all(r',?"[a-z_]+":null', "")
    ).to_series()
    place = pl.int_range(count, eager=True)
    text = text.gather(pl.select(pl.when(place % REPEATED_EVERY == 99).then(place - 50).otherwise(place)).to_series())
    broken = place % BROKEN_EVERY == 500
    return pl.select(pl.when(broken).then(text.str.head(80)).otherwise(text)).to_series()


def gathered(values: Any, random: np.random.Generator, count: int) -> pl.Series:
    return pl.Series(values).gather(random.integers(0, len(values), count))


def identifier(column: str) -> pl.Expr:
    """32 hexadecimal digits."""
    return digest_id(column) + digest_id(column, pl.lit("second half"))


# ---------------------------------------------------------------- the contenders


def ours(path: Path, build: Path) -> None:
    """The product's own load."""
    source = Source.model_validate(WEB)
    load_new_files(
        Warehouse(build), path.parent, {"web": source}, journey=Journey(currency="EUR"), hmac_key=b"benchmark"
    )


def read_json(path: Path, build: Path) -> None:
    """DuckDB alone: broken lines are lost, repeated ones stay."""
    with duckdb.connect(str(build)) as connection:
        connection.execute("CREATE TABLE events AS FROM read_json(?, ignore_errors = true)", [str(path)])


def json_loop(path: Path, build: Path) -> None:
    """Python alone: a line at a time; broken lines are kept, an id is kept once, batches go to DuckDB as Arrow."""
    seen: set[str] = set()
    kept: list[dict[str, Any]] = []
    broken: list[dict[str, Any]] = []
    with duckdb.connect(str(build)) as connection, path.open(encoding="utf-8") as file:
        connection.execute("CREATE TABLE bad (row BIGINT, text VARCHAR)")
        columns = ", ".join(f"{name} {'DOUBLE' if name == 'value' else 'VARCHAR'}" for name in (*FIELDS, "properties"))
        connection.execute(f"CREATE TABLE events ({columns})")
        for row, line in enumerate(file, start=1):
            try:
                event = json.loads(line)
            except ValueError:
                broken.append({"row": row, "text": line})
                continue
            if event["event_id"] in seen:
                continue
            seen.add(event["event_id"])
            kept.append({**{name: event.get(name) for name in FIELDS}, "properties": json.dumps(event["properties"])})
            if len(kept) == LOOP_BATCH:
                append(connection, "events", kept)
                kept = []
        append(connection, "events", kept)
        append(connection, "bad", broken)


def append(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.register("incoming", pa.Table.from_pylist(rows))
        connection.execute(f"INSERT INTO {table} BY NAME FROM incoming")
        connection.unregister("incoming")


CONTENDERS: dict[str, Callable[[Path, Path], None]] = {"ours": ours, "read_json": read_json, "json loop": json_loop}


# ---------------------------------------------------------------- the answers

ONE_EACH = "SELECT count(*), sum(minor)::BIGINT FROM (SELECT DISTINCT event_id, {} AS minor FROM {}) WHERE event_id IS NOT NULL"
CENTS = "round(value * 100)::BIGINT"
ANSWERS = {
    "ours": (ONE_EACH.format("value_minor", "raw.web_events"), "SELECT count(*) FROM raw.quarantine"),
    "read_json": (ONE_EACH.format(CENTS, "events"), "SELECT count(*) FROM events WHERE event_id IS NULL"),
    "json loop": (ONE_EACH.format(CENTS, "events"), "SELECT count(*) FROM bad"),
}


def answer(contender: str, build: Path) -> dict[str, int]:
    """Distinct events, their money, the broken rows, and the rows of the file that have an outcome or are there."""
    with duckdb.connect(str(build), read_only=True) as connection:
        (found,) = connection.sql(ANSWERS[contender][0]).fetchall()
        ((broken,),) = connection.sql(ANSWERS[contender][1]).fetchall()
    return {"events": found[0], "minor": found[1], "broken": broken}


def refuse_other_answers(answers: dict[str, dict[str, int]], *, rows: int) -> None:
    """End the program when the contenders do not agree on what is in the file."""
    if any(given != answers["ours"] for given in answers.values()) or answers["ours"]["broken"] != rows // BROKEN_EVERY:
        raise SystemExit(f"the answers differ at {rows:,} rows: {json.dumps(answers)}")


# ---------------------------------------------------------------- runs


def measured(contender: str, path: Path, build: Path) -> dict[str, float]:
    """One load in a process of its own: seconds, seconds of processor, peak memory."""
    child = subprocess.Popen(
        [sys.executable, __file__, "--contender", contender, str(path), str(build)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"'{contender}' failed")
    return {**json.loads(said), "peak_mb": usage.ru_maxrss // 1024}


def timed(contender: str, path: Path, build: Path) -> None:
    """Load, and print how long it took."""
    before, begun = processor_seconds(), time.perf_counter()
    CONTENDERS[contender](path, build)
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "processor_seconds": processor_seconds() - before}))


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def compared(folder: Path, *, rows: int, runs: int, seed: int, contenders: list[str]) -> list[dict[str, Any]]:
    """The medians of each contender over runs that take turns."""
    path = folder / "landing" / "events.ndjson"
    path.parent.mkdir()
    subprocess.run(
        [sys.executable, __file__, "--write", str(path), "--rows", str(rows), "--seed", str(seed)], check=True
    )
    found: dict[str, list[dict[str, float]]] = {contender: [] for contender in contenders}
    answers: dict[str, dict[str, int]] = {}
    for run in range(runs):
        for contender in contenders:
            build = folder / "build.duckdb"
            found[contender].append(measured(contender, path, build))
            if run == 0:
                answers[contender] = answer(contender, build)
            build.unlink()
            shutil.rmtree(path.parent / JOURNAL, ignore_errors=True)
        if run == 0:
            refuse_other_answers(answers, rows=rows)
    size = path.stat().st_size
    shutil.rmtree(path.parent)
    medians = {
        name: {key: statistics.median(one[key] for one in each) for key in each[0]} for name, each in found.items()
    }
    base = medians["read_json"]["seconds"]
    return [
        {
            "rows": rows,
            "file_mb": size >> 20,
            "contender": name,
            **median,
            "ratio": median["seconds"] / base,
            "runs": runs,
        }
        for name, median in medians.items()
    ]


def main() -> None:
    arguments = parsed()
    if arguments.write:
        write_file(Path(arguments.write), rows=arguments.rows[0], seed=arguments.seed)
        return
    if arguments.contender:
        name, path, build = arguments.contender
        timed(name, Path(path), Path(build))
        return
    results: list[dict[str, Any]] = []
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            runs = arguments.runs if rows < LARGE else arguments.large_runs
            results += compared(Path(folder), rows=rows, runs=runs, seed=arguments.seed, contenders=arguments.only)
    print(json.dumps(results) if arguments.json else table(results))


def table(results: list[dict[str, Any]]) -> str:
    head = f"{'rows':>12} {'file MB':>8}  {'contender':<10} {'seconds':>8} {'x read_json':>12} {'processor s':>12} {'peak MB':>8}"
    return "\n".join(
        [
            head,
            *(
                f"{one['rows']:>12,} {one['file_mb']:>8,}  {one['contender']:<10} {one['seconds']:>8.2f} {one['ratio']:>12.2f} "
                f"{one['processor_seconds']:>12.2f} {one['peak_mb']:>8,.0f}"
                for one in results
            ),
        ]
    )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large-runs", type=int, default=1, help=f"runs at {LARGE:,} rows and more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", help=argparse.SUPPRESS)
    parser.add_argument("--contender", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
