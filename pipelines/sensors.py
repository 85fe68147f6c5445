"""Sensors: what starts a run between two nights."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from pipelines.journal import JOURNAL
from pipelines.remote import REMOTE, waiting
from pipelines.schedules import nightly
from pipelines.settings import workspace_at

QUIET = timedelta(minutes=2)
ASK_SECONDS = 900


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


@dg.sensor(name="objects_stored", job=nightly, minimum_interval_seconds=ASK_SECONDS)
def bucket_sensor(_context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start a run when buckets hold objects that have not landed; asked every 15 minutes, since each listing costs."""
    place = workspace_at(None)
    found = waiting(place.landing, place.configuration.sources)
    objects = {item.relative: item for items in found.waiting.values() for item in items}
    if not objects:
        return dg.SkipReason(
            "; ".join(f"{url}: {why}" for _, url, why in found.problems) or "no object waits in a bucket"
        )
    if datetime.now(UTC) - max(datetime.fromisoformat(item.modified) for item in objects.values()) < QUIET:
        return dg.SkipReason("objects are still arriving")
    return dg.RunRequest(run_key=hashlib.sha256(repr(sorted(objects)).encode()).hexdigest()[:16])


def landing_state(landing: Path) -> tuple[str, datetime | None]:
    """A hash of the names, sizes and times of what was put there, and the newest time; None when there is nothing."""
    own = {landing / JOURNAL, landing / REMOTE}
    files = [path for path in sorted(landing.rglob("*")) if path.is_file() and not own & {*path.parents}]
    facts = [(str(path.relative_to(landing)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    newest = max((mtime for _, _, mtime in facts), default=None)
    state = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
    return state, datetime.fromtimestamp(newest / 1e9, UTC) if newest is not None else None
