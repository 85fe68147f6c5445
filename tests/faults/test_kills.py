"""A run that is killed at any instant loses nothing and doubles nothing: the next one goes on from what landed."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.small_nights import finished, land, nothing_is_lost, published_ids, started, workspace

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("JOURNEYS_KILLS", "25"))


def test_runs_that_are_killed_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    place, draw = workspace(tmp_path / "shop"), random.Random(7)
    landed = land(place, 0, draw)
    duration = finished(place)
    whole = 0

    for number in range(1, KILLS + 1):
        before = published_ids(place)
        landed |= land(place, number, draw)
        run = started(place)
        time.sleep(draw.uniform(0, duration))
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        now = published_ids(place)
        assert now in (before, landed), f"kill {number}: a part of a night was published"
        whole += now == landed

    nothing_is_lost(place, landed)
    print(f"{KILLS} kills survived, {whole} of them after the night was published")


def test_runs_that_are_killed_between_two_steps_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    place, draw = workspace(tmp_path / "shop"), random.Random(11)
    landed = land(place, 0, draw)
    boundaries = len(steps_of(started(place, "--log", "json")))
    chosen = sorted(draw.sample(range(boundaries), min(boundaries, KILLS // 2)))

    for number, boundary in enumerate(chosen, start=1):
        before = published_ids(place)
        landed |= land(place, number, draw)
        run = started(place, "--log", "json")
        steps_of(run, until=boundary)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        assert published_ids(place) in (before, landed), f"after step {boundary}: a part of a night was published"

    nothing_is_lost(place, landed)
    print(f"{len(chosen)} kills between steps survived, of {boundaries} boundaries")


def steps_of(run: "subprocess.Popen[bytes]", *, until: int | None = None) -> list[str]:
    """The steps that a run logs, to its end or until so many have ended."""
    assert run.stdout is not None
    steps: list[str] = []
    while (until is None or len(steps) <= until) and (line := run.stdout.readline()):
        said = json.loads(line)
        steps += [said["step"]] if "step" in said else []
    return steps
