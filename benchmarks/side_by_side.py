"""Side by side: contenders for one piece of work, in turn in one process; first whether they agree, then how long each takes.

Peak memory is that of a process of its own for each contender (`--only NAME` of the program that calls this).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

Contender = Callable[[Path], Any]
START = 1_767_225_600_000_000  # 2026-01-01 UTC, in microseconds
DAYS = 90
STEPS = ("page_view", "product_view", "add_to_cart", "checkout_started", "payment_entered", "order_placed")
EVENTS = (*STEPS, "search", "login")
SHARES = (0.38, 0.22, 0.11, 0.06, 0.04, 0.03, 0.12, 0.04)


def events_file(folder: Path, rows: int, *, seed: int = 1) -> Path:
    """Events of customers with sittings of about six events, in order of arrival: customer_id, event, occurred_at, event_id.

    Customer ids are texts of 16 characters, as the product has them; few customers have many events.
    """
    path = folder / f"events_{rows}.parquet"
    if path.exists():
        return path
    random = np.random.default_rng(seed)
    sittings = rows // 6 + 1
    customer = (random.pareto(1.3, sittings) * rows / 60).astype(np.int64) % (rows // 12 + 1)
    begun = random.integers(0, DAYS * 86_400 * 10**6, sittings)
    length = random.geometric(1 / 6, sittings)
    owner = np.repeat(np.arange(sittings), length)[:rows]
    at = START + begun[owner] + random.integers(0, 25 * 60 * 10**6, owner.size)
    event = np.array(EVENTS)[random.choice(len(EVENTS), owner.size, p=SHARES)]
    frame = pl.DataFrame({"customer": customer[owner], "event": event, "at": at}).sort("at", maintain_order=True)
    frame.select(
        "event",
        customer_id=pl.col("customer").hash(seed).cast(pl.String).str.zfill(20).str.head(16),
        occurred_at=pl.col("at").cast(pl.Datetime("us", "UTC")),
        event_id=pl.int_range(pl.len()).cast(pl.String).str.zfill(10),
    ).write_parquet(path, row_group_size=250_000)
    return path


def compare(title: str, contenders: Mapping[str, Contender], path: Path, *, runs: int, program: str) -> dict[str, Any]:
    """What each contender took: median seconds, its ratio to ours (the first), peak memory; raises when answers differ.

    The first run of each gives its answer and warms it up, and is not counted.
    """
    answers = {name: contender(path) for name, contender in contenders.items()}
    if len({repr(answer) for answer in answers.values()}) > 1:
        raise SystemExit(f"{title}: the answers differ: {answers}")
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, contender in contenders.items():
            begun = time.perf_counter()
            contender(path)
            seconds[name].append(time.perf_counter() - begun)
    ours = statistics.median(seconds[next(iter(contenders))])
    rows = [
        {
            "contender": name,
            "seconds": round(statistics.median(taken), 3),
            "times_ours": round(statistics.median(taken) / ours, 2),
            "peak_mb": peak_mb(program, name, path),
        }
        for name, taken in seconds.items()
    ]
    return {"work": title, "runs": runs, "answer": repr(next(iter(answers.values())))[:80], "rows": rows}


def peak_mb(program: str, name: str, path: Path) -> int:
    """The peak memory of one contender in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{program}", "--only", name, "--path", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed by itself: {done.stderr}")
    return int(done.stdout.split()[-1])


def alone(contender: Contender, path: Path) -> None:
    """Run one contender and print the peak of this process in MB (that of its memory map, which begins with the process)."""
    contender(path)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    print(next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM")))


def told(results: list[dict[str, Any]], *, as_json: bool) -> str:
    """The results as JSON, or as tables in Markdown."""
    if as_json:
        return json.dumps(results, indent=2)
    lines = []
    for result in results:
        lines += [f"**{result['work']}** (medians of {result['runs']}, answers equal)", ""]
        lines += ["| contender | seconds | times ours | peak MB |", "|---|---|---|---|"]
        lines += [
            f"| {r['contender']} | {r['seconds']} | {r['times_ours']} | {r['peak_mb']:,} |" for r in result["rows"]
        ]
        lines.append("")
    return "\n".join(lines)


def arguments(description: str, *, sizes: list[int]) -> argparse.Namespace:
    """What every program of this kind can be asked."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rows", type=int, nargs="+", default=sizes)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def machine() -> dict[str, str]:
    """What the machine is, without its name."""
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")  # fmt: skip
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": model, "cores": str(os.cpu_count()), "memory": f"{memory:.0f} GB",
            "python": sys.version.split()[0]}  # fmt: skip
