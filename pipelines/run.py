"""Run: the nightly job in this process, for the command line, the demo and the tests."""

import os
import sqlite3
from collections.abc import Callable
from typing import Any

import dagster as dg

from pipelines.catalog import WRITERS
from pipelines.checks import checks
from pipelines.definitions import assets
from pipelines.erasure import finish
from pipelines.errors import ConfigurationError, DamagedWarehouse, DataError
from pipelines.night import Night, Step
from pipelines.notices import Notice, send
from pipelines.schedules import TOLD, nightly
from pipelines.settings import Workspace
from pipelines.warehouse import is_damage

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_in_process(
    place: Workspace,
    *,
    say: Callable[[str], None],
    steps: list[Step] | None = None,
    done: Callable[[Step], None] = lambda _step: None,
) -> list[str]:
    """Run the night, say each table as it is written, and finish erasures that have begun.

    What each step took is added to `steps`, and told to `done` when it has ended.

    Returns what went wrong without stopping the run (files that could not be read). A build file that is damaged is built
    again from what landed.
    Raises ConfigurationError and DataError as they come, and DataError when a check fails.
    """
    night = Night(place, say=say, steps=[] if steps is None else steps, done=done)
    night.configuration  # noqa: B018  (a wrong configuration is told before anything runs)
    try:
        try:
            execute(night)
        except DamagedWarehouse as damage:
            say(str(damage).replace("the next run builds it again", "it is built again"))
            night.warehouse.remove()
            night = Night(place, say=say, steps=night.steps, done=done)
            execute(night)
    except (ConfigurationError, DataError) as error:
        for problem in tell_failure(place, str(error)):
            say(problem)
        raise
    finish(place)
    failed = night.warehouse.read("ops.failed_files").rows(named=True)
    return [*(f"{row['path']}: {row['problem']}" for row in failed), *night.unsent]


def execute(night: Night) -> None:
    """Run the nightly job on a night; raises ConfigurationError, DamagedWarehouse and DataError for what went wrong in it."""
    definitions = dg.Definitions(assets=assets, asset_checks=checks, jobs=[nightly], resources={"night": night})
    job = definitions.resolve_job_def("nightly")
    try:
        with instance() as home, night.warehouse.opened():
            result = job.execute_in_process(instance=home, run_config=QUIET, raise_on_error=False, tags=TOLD)
    except Exception as error:
        if isinstance(error.__cause__, sqlite3.Error):
            raise DataError(
                f"Dagster's own storage in {os.environ.get('DAGSTER_HOME')} cannot be used ({error.__cause__}); move its data away "
                "(it holds the history of runs, and nothing of the warehouse), or run without DAGSTER_HOME"
            ) from error
        raise
    if not result.success:
        why = failure_of(result)
        if is_damage(str(why)):
            raise DamagedWarehouse(
                f"{night.workspace.build_file} is damaged ({why}); the next run builds it again from what landed"
            )
        raise why


def tell_failure(place: Workspace, why: str) -> list[str]:
    """Tell people that a run failed; returns what could not be sent."""
    configuration = place.configuration
    return send(configuration.notices, configuration.journey.name, [Notice("failed", why)])


def build_tables(night: Night) -> None:
    """Fill the tables of a night's warehouse, one after the other, without checks, views, reports and publishing.

    Raises ConfigurationError and DataError as they come.
    """
    with night.warehouse.opened():
        for asset in assets:
            if asset.op.name in WRITERS:
                with night.timed(asset.op.name):
                    WRITERS[asset.op.name](night)


def instance() -> Any:
    """Dagster's own storage where DAGSTER_HOME names it, so that the UI shows the run; else one that is forgotten."""
    return dg.DagsterInstance.get() if os.environ.get("DAGSTER_HOME") else dg.DagsterInstance.ephemeral()


def failure_of(result: dg.ExecuteInProcessResult) -> Exception:
    """The first error of a failed run, as the person who must act should read it."""
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed and evaluation.blocking:
            rows = evaluation.metadata.get("offending_rows")
            name = f"{'.'.join(evaluation.asset_key.path)}: {evaluation.check_name}"
            return DataError(
                f"check failed, nothing was published: {name} ({rows.value if rows else '?'} offending rows)"
            )
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause if error and error.cause else error
            said = cause.message.strip() if cause else "failed"
            for kind in (ConfigurationError, DataError):
                if cause and cause.cls_name == kind.__name__:
                    return kind(said.split(": ", 1)[-1])
            return DataError(f"{event.step_key}: {said}")
    return DataError("the run failed; see Dagster's log")
