"""Answers: what the commands say, read from the published warehouse or the configuration."""

from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite
from typing import Any

import polars as pl
from pydantic import ValidationError
from rich.console import Console

from pipelines.errors import ConfigurationError
from pipelines.settings import Workspace
from pipelines.warehouse import Connection, open_published, query_rows, scalar, sql_text
from transforms.contracts import CORE_EVENTS, VISITOR_NAMESPACES
from transforms.events import build_timeline
from transforms.funnel_answer import funnel_answer
from transforms.funnel_stream import columns_needed, owned_property
from transforms.funnels import funnel_entrant_groups, funnel_entrants
from transforms.journey import Funnel, Journey

UNMAPPED_SHOWN = 5


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


# ---------------------------------------------------------------- funnel


def funnel(
    place: Workspace, name: str, *, from_day: str | None, to_day: str | None, breakdowns: list[str], attempts: bool
) -> dict[str, Any]:
    """The answer of one funnel of journey.yaml over a range of entry days, with breakdowns by property."""
    journey = place.configuration.journey
    asked = asked_funnel(journey, name, from_day, to_day, breakdowns)
    with open_published(place.published) as connection:
        refuse_unknown_properties(connection, breakdowns)
        horizon = scalar(connection, sql_text("core/funnel_horizon.sql"), {"funnel": name})
        events = connection.sql("FROM core.events").select(*sorted(columns_needed(asked))).pl().lazy()
    timeout = journey.sessions.timeout
    entrants = funnel_entrants(events, asked, horizon=horizon, session_timeout=timeout).collect()
    groups = funnel_entrant_groups(events, entrants.lazy(), asked, horizon=horizon, session_timeout=timeout).collect()
    return funnel_answer(entrants, groups, asked, horizon=horizon, with_attempts=attempts)


def refuse_unknown_properties(connection: Connection, names: list[str]) -> None:
    """Raise ConfigurationError, with the nearest name, for a property that no event carries.

    `customer.NAME` and `account.NAME` ask for NAME as it was last set.
    """
    columns = set(CORE_EVENTS.schema)
    names = [owned_property(name)[1] for name in names]
    if set(names) <= columns:
        return
    known = sorted(columns | {row[0] for row in connection.sql(sql_text("core/property_names.sql")).fetchall()})
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise ConfigurationError(f"unknown property '{name}'{hint}; events have: {', '.join(known)}")


def asked_funnel(
    journey: Journey, name: str, from_day: str | None, to_day: str | None, breakdowns: list[str]
) -> Funnel:
    """The funnel of that name with the range and the breakdowns asked for.

    Raises ConfigurationError for an unknown funnel (nearest name offered) or an impossible range.
    """
    known = {item.name: item for item in journey.funnels}
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise ConfigurationError(f"unknown funnel '{name}'{hint}; there are: {', '.join(known) or 'none'}")
    said = known[name].model_dump(by_alias=True)
    said["time_zone"] = journey.time_zone
    if from_day:
        said["from"] = from_day
    if to_day:
        said["to"] = to_day
    if breakdowns:
        said["breakdowns"] = breakdowns
    try:
        asked = Funnel.model_validate(said)
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors())
        ) from error
    if isinstance(asked.from_, date) and isinstance(asked.to, date) and str(asked.from_) > str(asked.to):
        raise ConfigurationError(f"--from {asked.from_} lies after --to {asked.to}")
    return asked


def print_funnel(answer: dict[str, Any], out: Console) -> None:
    """Print a funnel's steps, and those of its groups, as a table with counts beside every rate."""
    out.print(f"{answer['name']}: {answer['unit']}s, {answer['order']}, entries {answer['from'] or 'from the start'} to "
              f"{answer['to'] or 'the end'}, complete to {answer['horizon']}", markup=False)  # fmt: skip
    for line in compat_lines(answer.get("compat")):
        out.print(line, markup=False)
    for steps, title in [(answer["steps"], ""), *((group["steps"], _group_title(group)) for group in answer["groups"])]:
        if title:
            out.print(title, markup=False)
        for step in steps:
            out.print(f"  {step['name']:<28} {step['count']:>10,}   {_share(step['step_rate']):<24} of entrants "
                      f"{_share(step['total_rate'])}", markup=False)  # fmt: skip


def compat_lines(compat: dict[str, Any] | None) -> list[str]:
    """What a funnel that counts as another product does was set to."""
    if compat is None:
        return []
    lines = [f"  as {compat['product']} ({compat['verified']}): {_switches(compat['sets'])}"]
    if compat["overridden"]:
        lines.append(f"  but by its own keys: {_switches(compat['overridden'])}")
    return [*lines, *(f"  differs still: {difference}" for difference in compat["differs"])]


def _switches(switches: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in switches.items())


def _group_title(group: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in zip(group["by"], group["values"], strict=True))


def _share(rate: dict[str, Any]) -> str:
    if not rate["d"]:
        return "-"
    if rate["d"] < 20:
        return f"{rate['n']:,}/{rate['d']:,} too few to say"
    return f"{100 * rate['rate']:.1f} % ({rate['n']:,}/{rate['d']:,})"


# ---------------------------------------------------------------- status


def status(place: Workspace) -> dict[str, Any]:
    """The last run; the books of each source, day and file; quarantine by reason, columns that drift, files not read."""
    return {
        "run": next(iter(ask(place, "ops/status_run.sql")), None),
        "sources": ask(place, "ops/status_sources.sql"),
        "days": ask(place, "ops/status_days.sql"),
        "files": ask(place, "ops/status_files.sql"),
        "drift": ask(place, "ops/status_drift.sql"),
        "quarantine": ask(place, "ops/status_quarantine.sql"),
        "failed_files": ask(place, "ops/status_failed_files.sql"),
    }


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
