"""Sensors: what starts a run between two nights."""

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from pipelines.errors import ConfigurationError
from pipelines.landing import settled_files
from pipelines.notices import Notice, send
from pipelines.remote import waiting
from pipelines.schedules import TOLD, nightly
from pipelines.settings import Workspace, workspace_at
from pipelines.settling import Settling

QUIET = timedelta(minutes=2)
PATIENCE = timedelta(minutes=30)
ASK_SECONDS = 900


@dg.sensor(name="files_landed", job=nightly, minimum_interval_seconds=60)
def landing_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Start a run when files have settled that were not there before, and no others have arrived for two minutes."""
    place = workspace_at(None)
    try:
        state, is_arriving = landing_state(place)
    except ConfigurationError as error:
        yield dg.SkipReason(str(error))
        return
    if state is None or state == context.cursor:
        yield dg.SkipReason(f"nothing new under {place.landing}")
    elif is_arriving:
        yield dg.SkipReason(f"files are still arriving under {place.landing}")
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


@dg.run_failure_sensor(name="run_failed", monitored_jobs=[nightly], minimum_interval_seconds=60)
def failure_sensor(context: dg.RunFailureSensorContext) -> None:
    """Tell people of a run that failed, unless it has told them itself."""
    if TOLD.items() <= context.dagster_run.tags.items():
        return
    place = workspace_at(None)
    error = context.failure_event.event_specific_data
    cause = str(getattr(getattr(error, "error", None), "message", None) or context.failure_event.message)
    notice = Notice(
        "failed", f"run {context.dagster_run.run_id}: {cause.strip()}", {"run_id": context.dagster_run.run_id}
    )
    for problem in send(place.configuration.notices, place.configuration.journey.name, [notice]):
        context.log.warning(problem)


def landing_state(place: Workspace) -> tuple[str | None, bool]:
    """A hash of the settled files, None when there are none; and whether a run had better wait for others to settle.

    Files are settled as a run sees it, but quiet for two minutes at least, so that an upload of many files is one run. A file
    that never settles holds the others back for half an hour.
    """
    said = place.configuration.landing
    settling = Settling(quiet=max(QUIET, said.quiet), done_marker=said.done_marker)
    settled, is_arriving = settled_files(place.landing, place.configuration.sources, settling=settling)
    if not settled:
        return None, is_arriving
    state = hashlib.sha256(repr(settled).encode()).hexdigest()[:16]
    newest = max(modified_ns for _, (_, modified_ns, _) in settled)
    return state, is_arriving and time.time_ns() - newest < PATIENCE.total_seconds() * 1e9
