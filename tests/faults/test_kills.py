"""A run that is killed at any instant loses nothing and doubles nothing: the next one goes on from what landed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from pipelines.answers import sql
from pipelines.settings import Workspace
from pipelines.verify import verify

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("JOURNEYS_KILLS", "25"))
LATE = 3
RULES = {
    "preset": "ecommerce",
    "landing": {"quiet": "0s"},
    "sources": {
        "web": {
            "format": "ndjson",
            "files": "*.ndjson",
            "fields": {
                "event_id": "id", "event": "event", "occurred_at": "at", "anonymous_id": "cookie", "user_id": "user", "url": "url",
            },
        }
    },
}  # fmt: skip
EVENTS = ("page_view", "product_view", "add_to_cart", "checkout_started", "order_placed", "login")


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    (tmp_path / "landing").mkdir()
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    (tmp_path / "journey.yaml").write_text(yaml.safe_dump(RULES))
    return Workspace(tmp_path)


def land(place: Workspace, number: int, draw: random.Random) -> set[str]:
    """A new file with new events, late ones and repetitions; the ids of its events."""
    rows = [
        {
            "id": f"e{max(0, number - draw.choice([0, 0, 0, LATE]))}-{draw.randrange(60)}",
            "event": draw.choice(EVENTS),
            "at": f"2026-01-{1 + draw.randrange(28):02d}T{draw.randrange(24):02d}:{draw.randrange(60):02d}:00Z",
            "cookie": f"c{draw.randrange(15)}",
            "user": draw.choice([None, None, f"u{draw.randrange(8)}"]),
            "url": "https://shop.example/",
        }
        for _ in range(40)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    draft = place.root / "arriving"
    draft.write_text(text)
    os.replace(draft, place.landing / f"{number:04d}.ndjson")
    return {str(row["id"]) for row in rows}


def started(place: Workspace) -> "subprocess.Popen[bytes]":
    environment = {key: value for key, value in os.environ.items() if key != "DAGSTER_HOME"}
    command = [sys.executable, "-m", "pipelines.cli", "run", "--workspace", str(place.root)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def finished(place: Workspace) -> float:
    """Run to the end; how long it took."""
    begun = time.perf_counter()
    run = started(place)
    _, said = run.communicate()
    assert run.returncode == 0, said.decode()
    return time.perf_counter() - begun


def published_ids(place: Workspace) -> set[str]:
    return {row[0] for row in sql(place, "SELECT event_id FROM core.events")[1]}


def test_runs_that_are_killed_lose_nothing_and_double_nothing(place: Workspace) -> None:
    draw = random.Random(7)
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

    finished(place)
    assert published_ids(place) == landed
    rows = sql(place, "SELECT sum(rows_in) - sum(loaded + duplicate + conflict) FROM ops.balances")[1]
    assert rows == [(0,)]
    assert [each.first_difference for each in verify(place, say=lambda _line: None) if each.first_difference] == []
    print(f"{KILLS} kills survived, {whole} of them after the night was published")
