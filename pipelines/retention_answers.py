"""Retention answers: what `journeys retention` says, of the published warehouse or of a plain file of events."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, get_args

import polars as pl
from rich.console import Console

from pipelines.errors import ConfigurationError
from pipelines.funnel_answers import unknown
from pipelines.funnel_file import read_events
from pipelines.settings import Workspace
from pipelines.warehouse import open_published, scalar, sql_text
from transforms.retention import Period, retention
from transforms.statistics import FEW, rate, wilson

ANY = "any event"
RETURNED = "returned"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked: who begins, what counts as coming back, and how periods are counted.

    `starts_with`, `returns_with`: an event, or None for any that is the customer's own doing. `minimum`: events within one
    period that make a return. `on_or_after`: back in a period or any later one. `periods`: how many are shown.
    """

    every: str = "week"
    starts_with: str | None = None
    returns_with: str | None = None
    first_time: bool = False
    on_or_after: bool = False
    minimum: int = 1
    periods: int = 12
    from_day: str | None = None
    to_day: str | None = None


def of_warehouse(place: Workspace, asked: Asked) -> dict[str, Any]:
    """The retention of all customers of the published warehouse, in its time zone.

    Raises ConfigurationError for an unknown event (nearest offered) or period, and for an impossible range.
    """
    check(asked)
    named = [event for event in (asked.starts_with, asked.returns_with) if event]
    with open_published(place.published) as connection:
        known = [row[0] for row in connection.sql("SELECT DISTINCT event FROM core.events").fetchall()]
        refuse_unknown_events(named, known)
        events = connection.sql(sql_text("core/own_doings.sql")).pl()
        complete = {"events": named, "is_any": len(named) < 2}
        horizon = scalar(connection, sql_text("core/events_horizon.sql"), complete)
    return answer(events, asked, time_zone=place.configuration.journey.time_zone, horizon=horizon)


def of_file(file: Path, asked: Asked, *, time_zone: str = "UTC", horizon: datetime | None = None) -> dict[str, Any]:
    """The retention of the customers of an NDJSON file of events, as `journeys funnel --events` reads it.

    Without a `horizon` the file is complete to its newest event.
    """
    check(asked)
    events = read_events(file).select("customer_id", "event", "occurred_at", is_own=pl.lit(True))
    refuse_unknown_events([event for event in (asked.starts_with, asked.returns_with) if event], events["event"])
    newest: datetime | None = events.select(pl.col("occurred_at").max()).item()
    return answer(events, asked, time_zone=time_zone, horizon=horizon or newest)


def check(asked: Asked) -> None:
    """Raise ConfigurationError for what cannot be asked."""
    if asked.every not in get_args(Period):
        raise ConfigurationError(f"--every takes {', '.join(get_args(Period))}; found '{asked.every}'")
    for option, number in (("--minimum", asked.minimum), ("--periods", asked.periods)):
        if number < 1:
            raise ConfigurationError(f"{option} is 1 or more; found {number}")
    first, last = days(asked)
    if first and last and first > last:
        raise ConfigurationError(f"--from {first} lies after --to {last}")


def days(asked: Asked) -> tuple[date | None, date | None]:
    """The first and the last local day on which a cohort may begin."""
    return tuple(_day(option, text) for option, text in (("--from", asked.from_day), ("--to", asked.to_day)))  # type: ignore[return-value]


def _day(option: str, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise ConfigurationError(f"{option} is a day such as 2026-01-31; found '{text}'") from error


def refuse_unknown_events(named: Iterable[str], known: Iterable[str]) -> None:
    """Raise ConfigurationError, with the nearest name, for an event that there is not."""
    names = sorted(set(known))
    for event in named:
        if event not in names:
            raise unknown("event", event, names, "there are")


def answer(events: pl.DataFrame, asked: Asked, *, time_zone: str, horizon: datetime | None) -> dict[str, Any]:
    """The cohorts, and all of them pooled.

    In: customer_id, event, occurred_at, is_own (the customer's own doing).
    """
    shown = [(number, None if asked.on_or_after else number) for number in range(asked.periods)]
    found = retention(
        starts(events, asked, time_zone=time_zone),
        moments(events, asked.returns_with),
        period=asked.every,  # type: ignore[arg-type]
        time_zone=time_zone,
        horizon=horizon,
        kind="first_time" if asked.first_time else "recurring",
        minimum=asked.minimum,
        buckets=shown,
    ).collect()
    return {
        "every": asked.every,
        "kind": "first_time" if asked.first_time else "recurring",
        "is_on_or_after": asked.on_or_after,
        "starts_with": asked.starts_with or ANY,
        "returns_with": asked.returns_with or ANY,
        "minimum": asked.minimum,
        "time_zone": time_zone,
        "horizon": horizon.isoformat() if horizon else None,
        "cohorts": cohorts(found),
        "pooled": pooled(found).to_dicts(),
    }


def starts(events: pl.DataFrame, asked: Asked, *, time_zone: str) -> pl.LazyFrame:
    """The beginnings within the range; of `first_time`, those that are the customer's first at all."""
    begun = moments(events, asked.starts_with)
    if asked.first_time:
        begun = begun.group_by("unit_id").agg(pl.col("occurred_at").min())
    day = pl.col("occurred_at").dt.convert_time_zone(time_zone).dt.date()
    first, last = days(asked)
    return begun.filter(day >= (first or date.min), day <= (last or date.max))


def moments(events: pl.DataFrame, event: str | None) -> pl.LazyFrame:
    """When customers did something: unit_id, occurred_at."""
    wanted = pl.col("is_own") if event is None else pl.col("event") == event
    return events.lazy().filter(wanted).select("occurred_at", unit_id="customer_id").drop_nulls()


def cohorts(found: pl.DataFrame) -> list[dict[str, Any]]:
    """Each cohort with how many of it came back in each period; null where the period is not over."""
    each = found.group_by("cohort_start", "cohort_size", maintain_order=True).agg(RETURNED)
    return [
        {"start": start.isoformat(), "size": size, "returned": returned} for start, size, returned in each.iter_rows()
    ]


def pooled(found: pl.DataFrame) -> pl.DataFrame:
    """All cohorts for which a period is over as one: number, cohorts, cohort_size, returned, rate, low, high."""
    known = found.drop_nulls(RETURNED).group_by(number="bucket_from")
    summed = known.agg(pl.len().alias("cohorts"), pl.col("cohort_size", RETURNED).cast(pl.Int64).sum())
    low, high = wilson(RETURNED, "cohort_size")
    return summed.sort("number").with_columns(rate=rate(RETURNED, "cohort_size"), low=low, high=high)


# ---------------------------------------------------------------- in words


def print_retention(answer: dict[str, Any], out: Console) -> None:
    """Print the pooled rates with their intervals, then each cohort's counts."""
    for line in lines(answer):
        out.print(line.rstrip(), markup=False)


def lines(answer: dict[str, Any]) -> list[str]:
    """An answer as lines of text."""
    times = "" if answer["minimum"] == 1 else f", {answer['minimum']} times in a period"
    told = [
        f"{answer['kind'].replace('_', ' ')} retention by {answer['every'].replace('_', ' ')}: began with {answer['starts_with']}, "
        f"came back with {answer['returns_with']}{times}{' then or later' if answer['is_on_or_after'] else ''}; complete to {answer['horizon']}"
    ]
    if not answer["cohorts"]:
        return [*told, "  nobody began in this range"]
    told += [
        f"  {answer['every'].removeprefix('sunday_')} {row['number']:<4} {_share(row)}" for row in answer["pooled"]
    ]
    told.append("Each cohort: its size, and who came back in each period since")
    for cohort in answer["cohorts"]:
        counts = " ".join("–".rjust(7) if count is None else f"{count:>7,}" for count in cohort["returned"])
        told.append(f"  {cohort['start'][:16].replace('T00:00', '')} {cohort['size']:>8,} |{counts}")
    return told


def _share(row: dict[str, Any]) -> str:
    counts = (
        f"{row[RETURNED]:,} of {row['cohort_size']:,} in {row['cohorts']:,} cohort{'s' if row['cohorts'] != 1 else ''}"
    )
    if row["cohort_size"] < FEW:
        return f"too few to say   ({counts})"
    return f"{100 * row['rate']:5.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f})   {counts}"
