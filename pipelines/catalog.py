"""The catalog: every table becomes an asset with its description, columns, group and policy, all applied here."""

import errno
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from pipelines.engines.spark import Submit
from pipelines.night import Night
from pipelines.warehouse import duckdb_type, tables_read, view_comments
from transforms.contracts import TABLES, Table

WRITER_POOL = "warehouse_writer"
PAUSES = (2, 10, 60)
"""Seconds before a step is tried again."""
PASSING = {
    errno.EIO,
    errno.EAGAIN,
    errno.EBUSY,
    errno.EINTR,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
}
Rows = Mapping[str, int]
WRITERS: dict[str, Callable[[Night], Rows]] = {}
WRITTEN: list[str] = []


def asset_key(name: str) -> dg.AssetKey:
    """The asset of a table: core.sessions is core/sessions."""
    return dg.AssetKey(name.split("."))


def table_asset(
    *names: str, deps: Sequence[str] = (), every_night: bool = False
) -> Callable[[Callable[[Night], Rows]], dg.AssetsDefinition]:
    """Make a function that writes tables, and returns their row counts, into Dagster assets.

    The body says only which frames go into which transform; key, group, description, columns and pool are put on here.
    It can be found under its name in WRITERS. Where a night finds everything unchanged, the tables stay as they are, but for
    those of `every_night`.
    """

    def decorate(function: Callable[[Night], Rows]) -> dg.AssetsDefinition:
        inside = set(names)
        WRITERS[function.__name__] = function
        WRITTEN.extend(names)

        @dg.multi_asset(
            name=function.__name__,
            specs=[table_spec(TABLES[name], [dep for dep in deps if dep not in inside]) for name in names],
            pool=WRITER_POOL,
        )
        def run(
            context: dg.AssetExecutionContext, night: dg.ResourceParam[Night]
        ) -> Iterator[dg.MaterializeResult[None]]:
            with (
                tried_again(context.retry_number),
                night.warehouse.opened(),
                night.timed(", ".join(names), submit=through_pipes(context)) as step,
            ):
                step.is_kept = not every_night and night.is_unchanged
                counts = night.row_counts(names) if step.is_kept else function(night)
                step.rows = sum(counts.values())
            for name in names:
                took = "  unchanged" if step.is_kept else f"{step.seconds:>7.1f} s"
                night.say(f"{name:<28} {counts[name]:>12,} rows {took}")
                context.log.info("%s: %d rows in %.1f s, peak %d MB", name, counts[name], step.seconds, step.peak_mb)
                yield dg.MaterializeResult(asset_key=asset_key(name), metadata={"dagster/row_count": counts[name]})

        return run

    return decorate


@contextmanager
def tried_again(attempts: int) -> Iterator[None]:
    """Ask Dagster to try a step again, later each time, when what failed may pass by itself: a share or a disk that did not answer.

    Whatever somebody must act on (data, configuration, a full disk) fails at once.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in PASSING or attempts >= len(PAUSES):
            raise
        raise dg.RetryRequested(max_retries=len(PAUSES), seconds_to_wait=PAUSES[attempts]) from error


def through_pipes(context: dg.AssetExecutionContext) -> Submit:
    """Run programs so that what they tell stands with the step in Dagster."""

    def submit(command: Sequence[str], env: Mapping[str, str]) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.PreviewWarning)
            try:
                dg.PipesSubprocessClient(env={**os.environ}).run(context=context, command=command, env=env)
            except DagsterPipesExecutionError:
                return 1
        return 0

    return submit


def table_spec(table: Table, deps: Sequence[str]) -> dg.AssetSpec:
    """What Dagster's catalog says of a table."""
    schema = table.name.split(".")[0]
    columns = [dg.TableColumn(column.name, duckdb_type(column.dtype), column.sentence) for column in table.columns]
    return dg.AssetSpec(
        key=asset_key(table.name),
        description=f"{table.sentence} One row per {', '.join(table.grain)}.",
        group_name="raw" if schema == "ops" else schema,
        kinds={"duckdb", "polars"},
        deps=[asset_key(dep) for dep in deps],
        metadata={"dagster/column_schema": dg.TableSchema(columns=columns)},
    )


def view_spec(path: Path) -> dg.AssetSpec:
    """What Dagster's catalog says of a view of sql/mart: its header's sentence, and the tables on its `Reads` line."""
    text = path.read_text(encoding="utf-8")
    sentence, columns = view_comments(text)
    return dg.AssetSpec(
        key=asset_key(f"mart.{path.stem}"),
        description=sentence,
        group_name="mart",
        kinds={"duckdb"},
        deps=[asset_key(name) for name in tables_read(path)],
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[dg.TableColumn(name, description=meaning) for name, meaning in columns.items()]
            )
        },
    )
