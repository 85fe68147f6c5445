"""All benchmarks one after the other, and what they say of the targets: benchmarks/results.md.

Usage: python -m benchmarks.everything [--large]      (peers: the extra `bench`; --large: 50 million rows where a program has them)
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from benchmarks.side_by_side import machine, told

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.md"
PROGRAMS = {
    "sessions": ["--rows", "1000000", "10000000"],
    "funnel": ["--rows", "1000000", "10000000"],
    "components": ["--rows", "1000000", "5000000"],
    "ingest": ["--rows", "1000000", "--runs", "2"],
    "increment": ["--events", "1000000"],
    "night": ["--events", "1000000"],
}
LARGE = {"sessions": ["--rows", "50000000", "--runs", "1"], "funnel": ["--rows", "50000000", "--runs", "1"],
         "ingest": ["--rows", "10000000"], "increment": ["--events", "3000000"], "night": ["--events", "10000000"]}  # fmt: skip
WHY = """
- **Sessions** are numbered by one sort of one whole number and a difference. Text ids cost about half of the time (they are
  encoded first), and so does putting the numbers back in the order of arrival, which the window functions of the peers do not do.
- **Funnel**: the product finds the chain, the status and the times of each customer's first and best attempt, overall and of
  each day; windowFunnel finds the depth. What is ahead of it is the sort (gone for stored events), then choosing the first and best
  attempts of units and days.
- **Ingest** reads every line as text, judges it by some forty fields, hashes it for the books, and keeps bad rows; read_json does
  not. Two thirds of the time go into the fields and the insert of the raw table.
- **Night**: each stored table is written twice (build file and published copy), and half of the steps use one core.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="the sizes that take more than a quarter of an hour")
    programs = LARGE if parser.parse_args().large else PROGRAMS
    begun, found = time.perf_counter(), {}
    for name, options in programs.items():
        print(f"{name} …", flush=True)
        found[name] = measured(name, options)
    text = page(found, minutes=(time.perf_counter() - begun) / 60)
    print(text)
    if programs is PROGRAMS:
        RESULTS.write_text(text, encoding="utf-8")


def measured(name: str, options: list[str]) -> Any:
    """The JSON that a program prints last."""
    told_as = [] if name == "night" else ["--json"]
    command = [sys.executable, "-m", f"benchmarks.{name}", *options, *told_as]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr or done.stdout}")
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if name == "night" else json.loads(done.stdout)


def page(found: dict[str, Any], *, minutes: float) -> str:
    """The page: the targets and how they stand, then every table."""
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    versions = f"polars {pl.__version__}, duckdb {duckdb.__version__}"
    lines = [
        "# Benchmarks side by side",
        "",
        f"Written by `make bench` in {minutes:.0f} minutes. Answers were equal before anything was timed.",
        f"Machine: {facts}; {versions}. Ratios hold on other machines better than seconds do.",
        "",
        "## Targets",
        "",
        "| work | target | measured | |",
        "|---|---|---|---|",
        *(
            f"| {work} | {target} | {value} | {'met' if is_met else 'missed'} |"
            for work, target, value, is_met in targets(found)
        ),
        "",
        "Where a target is missed:",
        WHY,
        "## Tables",
        "",
        *(told(found[name], as_json=False) for name in ("sessions", "funnel", "components") if name in found),
        *ingest_table(found["ingest"]),
        *increment_table(found["increment"]),
        *night_table(found["night"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def targets(found: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Each target at the largest size: work, target, measured, whether it is met."""
    sessions, funnel = times(found["sessions"]), times(found["funnel"])
    rows = [
        *(
            versus("sessions", peer, sessions[peer], aim)
            for peer, aim in (("clickhouse", 2.5), ("duckdb", 3), ("pandas", 5))
        ),
        versus("funnel", "clickhouse, MergeTree", funnel["clickhouse, MergeTree"], 1),
        versus("funnel", "clickhouse, Parquet", funnel["clickhouse, Parquet"], 2.5),
        versus("funnel", "pandas", funnel["pandas"], 8),
        at_most("funnel", "a bare scan", 1 / funnel["bare scan of the columns"], 2.5),
        at_most("funnel with five breakdowns", "without", funnel["journeys, five breakdowns"], 1.5),
    ]
    if "components" in found:
        components = times(found["components"])
        rows += [
            at_most("components", "scipy", 1 / components["scipy"], 1.1),
            versus("components", "recursive SQL", components["sql"], 3.5),
        ]
    ingest = {one["contender"]: one["ratio"] for one in found["ingest"]}
    rows.append(at_most("ingest", "read_json", ingest["ours"], 1.25))
    rows.append(versus("ingest", "a Python json loop", ingest["json loop"] / ingest["ours"], 5))
    steps = {step["step"]: step["times"] for step in found["increment"]["steps"]}
    rows += [
        versus(f"a night's {name}", "a rebuild", steps[name], aim)
        for name, aim in (("sessions", 10), ("core", 5), ("all steps", 5))
        if name in steps
    ]
    night = found["night"]
    speed, peak = night["rows_per_second"], night["peak_memory_mb"]
    rows.append(("whole night", "150,000 rows a second", f"{speed:,} rows a second", speed >= 150_000))
    rows.append(("whole night", "at most 4 GB", f"{peak:,} MB", peak <= 4096))
    return rows


def times(results: list[dict[str, Any]]) -> dict[str, float]:
    """How many times ours each contender took, at the largest size."""
    return {row["contender"]: row["times_ours"] for row in results[-1]["rows"]}


def versus(work: str, peer: str, measured_times: float, aim: float) -> tuple[str, str, str, bool]:
    return work, f"{aim} times as fast as {peer}", f"{measured_times:.2f} times", measured_times >= aim


def at_most(work: str, peer: str, measured_times: float, aim: float) -> tuple[str, str, str, bool]:
    return work, f"at most {aim} times {peer}", f"{measured_times:.2f} times", measured_times <= aim


def ingest_table(results: list[dict[str, Any]]) -> list[str]:
    lines = [
        "**ingest of NDJSON**",
        "",
        "| rows | contender | seconds | times read_json | peak MB |",
        "|---|---|---|---|---|",
    ]
    rows = [
        f"| {one['rows']:,} | {one['contender']} | {one['seconds']:.2f} | {one['ratio']:.2f} | {one['peak_mb']:,.0f} |"
        for one in results
    ]
    return [*lines, *rows, ""]


def increment_table(result: dict[str, Any]) -> list[str]:
    lines = [f"**a night of {result['new']:,} rows on {result['history']:,}**, all tables equal to a rebuild", "",
             "| step | night s | rebuild s | times |", "|---|---|---|---|"]  # fmt: skip
    return [
        *lines,
        *(f"| {one['step']} | {one['night']} | {one['rebuild']} | {one['times']} |" for one in result["steps"]),
        "",
    ]


def night_table(result: dict[str, Any]) -> list[str]:
    names = {
        "rows": "rows",
        "seconds": "seconds",
        "rows_per_second": "rows a second",
        "peak_memory_mb": "peak MB",
        "warehouse_mb": "warehouse MB",
    }
    head = [
        "**a whole night**, landed files to published warehouse and report",
        "",
        f"| {' | '.join(names.values())} |",
        "|---" * len(names) + "|",
    ]
    return [*head, f"| {' | '.join(f'{result[name]:,}' for name in names)} |", ""]


if __name__ == "__main__":
    main()
