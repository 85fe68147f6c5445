"""Sensors: what starts a run between two nights."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from pipelines.schedules import nightly
from pipelines.settings import workspace_at

QUIET = timedelta(minutes=2)


@dg.sensor(name="files_landed", job=nightly, minimum_interval_seconds=60)
def landing_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Start a run when the landing folder has changed and has been quiet for two minutes."""
    landing = workspace_at(None).landing
    state, newest = landing_state(landing)
    if state == context.cursor or newest is None:
        yield dg.SkipReason(f"nothing new under {landing}")
    elif datetime.now(UTC) - newest < QUIET:
        yield dg.SkipReason(f"files are still arriving under {landing}")
    else:
        context.update_cursor(state)
        yield dg.RunRequest(run_key=state)


def landing_state(landing: Path) -> tuple[str, datetime | None]:
    """A hash of the names, sizes and times of what landed, and the newest time; None when there is nothing."""
    files = [path for path in sorted(landing.rglob("*")) if path.is_file() and "_journal" not in path.parts]
    facts = [(str(path.relative_to(landing)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    newest = max((mtime for _, _, mtime in facts), default=None)
    state = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
    return state, datetime.fromtimestamp(newest / 1e9, UTC) if newest is not None else None
