"""A soak: many nights with late rows and merges, analysts asking all the while; memory stays flat, disk grows with what landed."""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.answers import sql
from pipelines.settings import Workspace
from pipelines.verify import verify
from tests.faults.small_nights import EVENTS, started, workspace

pytestmark = pytest.mark.faults

NIGHTS = int(os.environ.get("JOURNEYS_SOAK_NIGHTS", "6"))
ROWS = int(os.environ.get("JOURNEYS_SOAK_EVENTS", "2000"))
ANALYSTS = 20
PAUSE = float(os.environ.get("JOURNEYS_SOAK_PAUSE", "2"))
LATE_DAYS = 3
OFTEN = (60, 24, 6, 3, 2, 5)
"""How often each of EVENTS comes, so that most look and few buy."""


def land(place: Workspace, night: int, draw: random.Random) -> int:
    """The events of one day, one in twenty of an earlier one, one in fifty there twice.

    Most people come once, a third of the events are of people of the last days; people log in on several browsers.
    """
    rows = []
    for number in range(ROWS):
        day = max(0, night - (draw.randrange(LATE_DAYS) if draw.random() < 0.05 else 0))
        at = f"2026-{1 + day // 28:02d}-{1 + day % 28:02d}T{draw.randrange(24):02d}:{draw.randrange(60):02d}:{draw.randrange(60):02d}Z"
        cohort = max(0, night - (draw.randrange(30) if draw.random() < 0.33 else 0))
        person = f"{cohort}-{draw.randrange(1 + ROWS // 6)}"
        rows.append({
            "id": f"{night}-{number - (draw.random() < 0.02)}", "event": draw.choices(EVENTS, OFTEN)[0],
            "at": at, "cookie": f"c{person}-{draw.randrange(2)}",
            "user": f"u{person}" if draw.random() < 0.1 else None, "url": "https://shop.example/",
        })  # fmt: skip
    draft = place.root / "arriving"
    draft.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.replace(draft, place.landing / f"{night:04d}.ndjson")
    return len(rows)


ASKING = """
import random, sys, time, duckdb
path, pause, draw = sys.argv[1], float(sys.argv[2]), random.Random(int(sys.argv[3]))
while True:
    time.sleep(draw.uniform(0, 2 * pause))
    begun = time.perf_counter()
    with duckdb.connect(path, read_only=True) as connection:
        connection.sql("SELECT funnel, step_name, reached FROM mart.funnel_steps ORDER BY ALL").fetchall()
    print(time.perf_counter() - begun, flush=True)
"""


def analyst(place: Workspace, seed: int) -> "subprocess.Popen[str]":
    """Somebody who asks a light question now and then, in a process of their own, until stopped; a question that fails ends it."""
    command = [sys.executable, "-c", ASKING, str(place.published), str(PAUSE), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def disk(place: Workspace) -> int:
    folders = (place.build_file.parent, place.published.parent, place.reports / "latest", place.landing)
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())


def night_of(place: Workspace) -> tuple[float, int]:
    """Run a night; its seconds, and its peak memory in MB as it logs it."""
    begun = time.perf_counter()
    run = started(place, "--log", "json")
    out, said = run.communicate()
    assert run.returncode == 0, said.decode()
    peaks = [line["peak_mb"] for line in map(json.loads, out.splitlines()) if "peak_mb" in line]
    return time.perf_counter() - begun, max(peaks)


def test_many_nights_keep_memory_flat_and_disk_in_proportion_while_analysts_ask(tmp_path: Path) -> None:
    place, draw = workspace(tmp_path / "shop", engine={"bucket_rows": 2 * ROWS, "memory": "1GB"}), random.Random(3)
    landed = land(place, 0, draw)
    first, _ = night_of(place)
    analysts = [analyst(place, seed) for seed in range(ANALYSTS)]

    seconds, memory, sizes = [first], [], []
    for night in range(1, NIGHTS + 1):
        landed += land(place, night, draw)
        took, peak = night_of(place)
        seconds.append(took)
        memory.append(peak)
        sizes.append(disk(place))
        if night % 10 == 0:
            print(f"night {night}: {took:.1f} s, peak memory {peak} MB, disk {sizes[-1] >> 20} MB", flush=True)
        assert sql(place, "SELECT sum(rows_in), sum(rows_in - loaded - duplicate - conflict) FROM ops.balances")[1] == [
            (landed, 0)
        ]
    failed = [each.returncode for each in analysts if each.poll() is not None]
    for each in analysts:
        each.kill()
    asked = [float(line) for each in analysts for line in each.communicate()[0].splitlines()]

    assert failed == []
    assert memory[-1] <= 1.25 * statistics.median(memory[: max(1, len(memory) // 2)]) + 64
    growth = [after - before for before, after in pairwise(sizes)]
    assert not growth or statistics.median(growth[len(growth) // 2 :]) <= 3 * max(
        1 << 20, statistics.median(growth[: max(1, len(growth) // 2)])
    )
    assert [each.first_difference for each in verify(place, say=lambda _line: None) if each.first_difference] == []
    print(
        f"{NIGHTS} nights of {ROWS:,} events soaked: {seconds[1]:.1f} s the first, {seconds[-1]:.1f} s the last; peak memory {memory[0]} to "
        f"{memory[-1]} MB; disk {sizes[0] >> 20} to {sizes[-1] >> 20} MB; {len(asked):,} questions of {ANALYSTS} analysts, median "
        f"{statistics.median(asked):.2f} s, slowest {max(asked):.2f} s, none failed"
    )
