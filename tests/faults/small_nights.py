"""Small nights for the tests of faults: a workspace, files that land, and the command that runs, as a process."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from pipelines.answers import sql
from pipelines.settings import Workspace
from pipelines.verify import verify

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


def workspace(folder: Path, **said: object) -> Workspace:
    """A workspace with one source and nothing landed."""
    (folder / "landing").mkdir(parents=True)
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    (folder / "journey.yaml").write_text(yaml.safe_dump({**RULES, **said}))
    return Workspace(folder)


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


def started(
    place: Workspace, *options: str, limit: Callable[[], object] | None = None, **variables: str
) -> "subprocess.Popen[bytes]":
    """The night, begun; `limit` is called in the new process before it begins."""
    environment = {key: value for key, value in os.environ.items() if key != "DAGSTER_HOME"} | variables
    command = [sys.executable, "-m", "pipelines.cli", "run", "--workspace", str(place.root), *options]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=limit,
    )


def told(run: "subprocess.Popen[bytes]") -> tuple[int, str]:
    """How a night ended, and what it said of what went wrong."""
    _, said = run.communicate()
    return run.returncode, said.decode()


def nothing_is_lost(place: Workspace, landed: set[str]) -> None:
    """Run to the end, and check that every event that landed is published once, the books balance, and a rebuild agrees."""
    finished(place)
    rows = sql(place, "SELECT event_id FROM core.events")[1]
    assert sorted(row[0] for row in rows) == sorted(landed)
    balance = sql(place, "SELECT sum(rows_in) - sum(loaded + duplicate + conflict) FROM ops.balances")[1]
    assert balance == [(0,)]
    assert [each.first_difference for each in verify(place, say=lambda _line: None) if each.first_difference] == []


def finished(place: Workspace) -> float:
    """Run to the end; how long it took."""
    begun = time.perf_counter()
    run = started(place)
    _, said = run.communicate()
    assert run.returncode == 0, said.decode()
    return time.perf_counter() - begun


def published_ids(place: Workspace) -> set[str]:
    return {row[0] for row in sql(place, "SELECT event_id FROM core.events")[1]}
