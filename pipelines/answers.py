"""Answers: what the commands say, read from the published warehouse or the configuration."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
from cronsim import CronSim, CronSimError
from rich.console import Console

from pipelines.errors import ConfigurationError
from pipelines.notices import late_sources
from pipelines.settings import Workspace
from pipelines.tombstones import unfinished
from pipelines.warehouse import open_published, query_rows, sql_text
from transforms.contracts import VISITOR_NAMESPACES
from transforms.events import build_timeline
from transforms.journey import Journey

UNMAPPED_SHOWN = 5
CRON, CRON_ZONE = "JOURNEYS_SCHEDULE", "JOURNEYS_SCHEDULE_TIME_ZONE"
EVERY_NIGHT = "0 2 * * *"


def sql(place: Workspace, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of a query on the published warehouse; raises ConfigurationError for one that is refused."""
    if not query.strip():
        raise ConfigurationError('the query is empty; ask for example: journeys sql "FROM mart.funnel_steps"')
    with open_published(place.published) as connection:
        return query_rows(connection, query)


def ask(place: Workspace, file: str) -> list[dict[str, Any]]:
    """The rows of one of the product's own queries on the published warehouse."""
    columns, rows = sql(place, sql_text(file))
    return [dict(zip(columns, row, strict=True)) for row in rows]


# ---------------------------------------------------------------- status


def last_run(place: Workspace) -> dict[str, Any] | None:
    """What the last run that was published says of itself; None when none is recorded."""
    return next(iter(ask(place, "ops/status_run.sql")), None)


def status(place: Workspace) -> dict[str, Any]:
    """The last run; what is late, unfinished and next, and the room on disk; the books of each source, day and file;
    quarantine by reason, columns that drift, files not read.
    """
    sources = ask(place, "ops/status_sources.sql")
    newest = {source["source"]: source["newest_event_at"] for source in sources}
    late = late_sources(newest, at=datetime.now(UTC), after=place.configuration.notices.late_after)
    return {
        "run": last_run(place),
        "late": [notice.line for notice in late],
        "unfinished_erasures": len({step.erasure_id for step in unfinished(place.landing)}),
        "schedule": schedule(datetime.now(UTC)),
        "disk_bytes": disk_used(place),
        "sources": sources,
        "days": ask(place, "ops/status_days.sql"),
        "files": ask(place, "ops/status_files.sql"),
        "drift": ask(place, "ops/status_drift.sql"),
        "quarantine": ask(place, "ops/status_quarantine.sql"),
        "failed_files": ask(place, "ops/status_failed_files.sql"),
    }


def schedule(at: datetime) -> dict[str, Any]:
    """When Dagster's daemon runs the night: cron text, time zone, and the first instant after one; None for what is no schedule."""
    told = {"cron": os.environ.get(CRON, EVERY_NIGHT), "time_zone": os.environ.get(CRON_ZONE, "UTC")}
    try:
        return {**told, "next_at": next(CronSim(told["cron"], at.astimezone(ZoneInfo(told["time_zone"]))))}
    except (CronSimError, ZoneInfoNotFoundError, StopIteration):
        return {**told, "next_at": None}


def schedule_line(schedule: Mapping[str, Any]) -> str:
    """A schedule in words: in the business's time and in UTC, for a night of the clock change is easily misread."""
    said, next_at = f"{schedule['cron']} ({schedule['time_zone']})", schedule["next_at"]
    if next_at is None:
        return f"{said} is no schedule; write {CRON} as cron does ({EVERY_NIGHT}) and {CRON_ZONE} as Europe/Berlin"
    when = f"{next_at:%Y-%m-%d %H:%M %Z}" + (f" ({next_at.astimezone(UTC):%H:%M} UTC)" if next_at.utcoffset() else "")
    return f"{said}, next {when} where Dagster's daemon runs"


def disk_used(place: Workspace) -> dict[str, int]:
    """Bytes of what landed, of the private and the published warehouse, and of the reports."""
    folders = {"landing": place.landing, "build": place.build_file.parent, "reports": place.reports}
    sizes = {
        name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        for name, folder in folders.items()
    }
    return {**sizes, "published": place.published.stat().st_size}


def print_status(state: dict[str, Any], out: Console, *, by: str = "source") -> None:
    """Print a status for an operator; the books by source, day or file."""
    run = state["run"]
    if run is None:
        out.print("No run is recorded in the published warehouse.")
        return
    out.print(f"Last run   {run['status']}, published {run['ended_at']:%Y-%m-%d %H:%M:%S} UTC, "
              f"{_counted(run['events'], 'event')} of {_counted(run['customers'], 'customer')}", markup=False)  # fmt: skip
    out.print(f"Versions   data {run['data_version']}, configuration {run['configuration_version']}, "
              f"product {run['product_version']}", markup=False)  # fmt: skip
    if run["message"]:
        out.print(f"Note       {run['message']}", markup=False)
    for line in state["late"]:
        out.print(f"Late       {line}", markup=False)
    if state["unfinished_erasures"]:
        out.print("Unfinished an erasure was begun and has not ended; go on with: journeys run", markup=False)
    disk = state["disk_bytes"]
    out.print(f"Schedule   {schedule_line(state['schedule'])}", markup=False)
    out.print("Disk       " + ", ".join(f"{name} {size / 2**20:,.0f} MB" for name, size in disk.items()), markup=False)
    for row in state[BOOKS[by]]:
        out.print(_books_line(row, by), markup=False)
    for row in state["quarantine"]:
        field = f" ({row['field']})" if row["field"] else ""
        first = f"first {row['path']} row {row['first_row']}"
        out.print(
            f"Quarantine {row['source']}: {_counted(row['rows'], 'row')} {row['reason']}{field}, {first}", markup=False
        )
    for row in state["drift"]:
        out.print(f"Columns    {row['source']}: {_drift_text(row)}", markup=False)
    for row in state["failed_files"]:
        out.print(f"Not read   {row['path']}: {row['problem']}", markup=False)


def _books_line(row: dict[str, Any], by: str) -> str:
    """The books of one source, day or file: rows in, and where they went."""
    parts = [f"{row[key]:,} {key}" for key in OUTCOMES if row[key]]
    counts = f"{_counted(row['rows_in'], 'row')} in = {' + '.join(parts) or 'nothing'}"
    if by == "source":
        files = _counted(row["files"], "file")
        return f"Source     {row['source']}: {files}, {counts}; newest event {row['newest_event_at'] or 'none'}"
    if by == "day":
        return f"Day        {row['landed_on']} {row['source']}: {_counted(row['files'], 'file')}, {counts}"
    return f"File       {row['landed_on']} {row['source']} {row['path']}: {counts}"


def _drift_text(row: dict[str, Any]) -> str:
    """What happened to a column, where first, and what would be right."""
    where = row["path"] if row["files"] == 1 else f"{row['path']} and {_counted(row['files'] - 1, 'other file')}"
    aside = f"; {_counted(row['quarantined'], 'row')} kept aside" if row["quarantined"] else ""
    if row["kind"] == "new":
        return f"{where} has the new column '{row['column_name']}'{aside}"
    if row["kind"] == "type":
        return f"{where} holds values of another type in '{row['column_name']}'{aside}"
    hint = f"; if it is now called '{row['renamed_to']}', say aliases: {{{row['renamed_to']}: {row['column_name']}}}"
    return f"{where} lacks the column '{row['column_name']}'{aside}{hint if row['renamed_to'] else ''}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


BOOKS = {"source": "sources", "day": "days", "file": "files"}
OUTCOMES = ("loaded", "duplicate", "conflict", "superseded", "quarantined", "suppressed", "blank")


# ---------------------------------------------------------------- the demo's last words


def telling_numbers(place: Workspace) -> list[str]:
    """Three sentences that say most about a night, each with its counts; and what holds it back, if anything does."""
    books = ask(place, "ops/telling_books.sql")[0]
    people = ask(place, "ops/telling_customers.sql")[0]
    steps = ask(place, "ops/telling_funnel.sql")
    lines = [
        f"{books['rows_in']:,} rows landed: {books['loaded']:,} loaded, {books['duplicate']:,} duplicates, "
        f"{books['quarantined']:,} quarantined, {books['other']:,} conflicts, superseded or blank; "
        f"the books of {books['files']:,} files balance.",
        f"{people['identifiers']:,} identifiers are {people['customers']:,} customers; "
        f"{people['purchasers']:,} of them bought, {people['repeaters']:,} more than once.",
    ]
    if steps:
        worst = steps[0]
        lines.append(
            f"The largest drop-off of '{worst['funnel']}' is before {worst['step_name']}: "
            f"{worst['reached']:,} of {worst['reached_before']:,} customers go on."
        )
    message = ask(place, "ops/status_run.sql")[0]["message"]
    return [*lines, message] if message else lines


# ---------------------------------------------------------------- check


def check(place: Workspace) -> dict[str, Any]:
    """What a run would read: files, rows of a sample, missing fields, quarantine, and events that no stage rule maps."""
    from pipelines.preview import preview

    configuration = place.configuration
    previews = preview(place.landing, configuration.sources, journey=configuration.journey)
    events = pl.concat([item.events for item in previews], how="diagonal")
    return {
        "workspace": str(place.root),
        "configuration": configuration.version,
        "sources": [item.summary() for item in previews],
        "unmapped": unmapped_share(events, journey=configuration.journey) if events.height else None,
        "problems": [problem for item in previews for problem in item.problems],
    }


def unmapped_share(events: pl.DataFrame, *, journey: Journey) -> dict[str, Any]:
    """How many of these events no stage rule maps, and their most frequent names.

    In:  canonical events. Robots and internal traffic are left out; for `status` each event stands with others of its
         strongest identifier, since nobody was stitched yet.
    """
    identity = journey.identity
    customer = pl.coalesce(*identity.strong, *identity.weak, "record_id", "event_id")
    owned = events.lazy().with_columns(customer_id=customer, visitor_id=pl.coalesce(*VISITOR_NAMESPACES))
    counted = build_timeline(owned, journey=journey).filter("is_counted").select("event", "stage").collect()
    names = (
        counted.filter(pl.col("stage").is_null())["event"]
        .value_counts()
        .sort("count", "event", descending=[True, False])
    )
    return {"n": names["count"].sum(), "d": counted.height, "events": names["event"].head(UNMAPPED_SHOWN).to_list()}


def print_check(findings: dict[str, Any], out: Console) -> None:
    """Print a check for somebody who is setting up a workspace."""
    out.print(f"Configuration of {findings['workspace']} is valid (version {findings['configuration']}).", markup=False)
    for source in findings["sources"]:
        counts = f"{_counted(source['files'], 'file')}, {_counted(source['rows_sampled'], 'row')} sampled"
        waiting = f"; {_counted(source['waiting'], 'object')} to be fetched" if source["waiting"] else ""
        out.print(f"Source {source['source']}: {counts}{waiting}", markup=False)
        for missing in source["missing"]:
            out.print(f"  missing: {missing}", markup=False)
        for reason, rows in source["quarantine"].items():
            out.print(f"  would be quarantined: {_counted(rows, 'row')}, {reason}", markup=False)
    if findings["unmapped"]:
        share = findings["unmapped"]
        names = (
            f"no stage rule maps {share['n']:,} of them: {', '.join(share['events'])}"
            if share["n"]
            else "each has a stage"
        )
        out.print(f"{_counted(share['d'], 'event')} sampled; {names}", markup=False)
    for problem in findings["problems"]:
        out.print(f"Problem: {problem}", markup=False)


# ---------------------------------------------------------------- JSON


def json_ready(value: Any) -> Any:
    """A value as JSON can hold it: instants as ISO 8601 UTC with Z, days as dates, bytes as hexadecimal digits.

    A decimal is a number where a number holds it exactly, else text.
    """
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
