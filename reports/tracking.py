"""Tracking: days on which an event that comes every such day all but stopped, so that a tag, an app or an export may be broken."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from transforms.statistics import FEW

ALL_BUT_STOPPED = 0.1
"""A day is silent at this part of what is usual on that weekday."""
LEAST_DAYS = 2
WEEKS_KNOWN = 4
"""How many of a weekday there must be to know what is usual."""


@dataclass(frozen=True)
class Silence:
    """Days in a row on which an event all but stopped; `usual` is the sum of the usual counts of these weekdays."""

    source: str
    event: str
    first: date
    last: date
    events: int
    usual: int
    goes_on: bool


def silences(days: pl.DataFrame) -> list[Silence]:
    """Runs of two days or more at a tenth or less of what is usual on these weekdays, those that cost most events first.

    In: the answer event_days. Usual is the median of a weekday, from the first to the last day of the event's source, of 20 or more.
    """
    found = [silence(run) for event in events_of(days) for run in silent_runs(event)]
    return sorted(found, key=lambda run: (run.events - run.usual, run.source, run.event, run.first))


def events_of(days: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """Each event's count on every day from its first to its source's last, with what is usual on that weekday."""
    if days.is_empty():
        return
    until = pl.col("day").max().over("source")
    spans = (
        days.with_columns(until=until)
        .group_by("source", "event")
        .agg(first=pl.col("day").min(), until=pl.col("until").first())
    )
    every = spans.select("source", "event", "until", day=pl.date_ranges("first", "until")).explode("day")
    counted = every.join(
        days.select("source", "event", "day", "events"), on=["source", "event", "day"], how="left"
    ).with_columns(pl.col("events").fill_null(0).cast(pl.Int64), weekday=pl.col("day").dt.weekday())
    same = ("source", "event", "weekday")
    usual = counted.with_columns(usual=pl.col("events").median().over(same), known=pl.len().over(same)).sort(
        "source", "event", "day"
    )
    for _, rows in groupby(usual.iter_rows(named=True), itemgetter("source", "event")):
        yield list(rows)


def silent_runs(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The runs of silent days of one event; the source's last day, which may not be over, is not looked at."""
    for is_silent, run in groupby((row for row in rows if row["day"] < row["until"]), is_silent_day):
        days = list(run)
        if is_silent and len(days) >= LEAST_DAYS:
            yield days


def is_silent_day(row: dict[str, Any]) -> bool:
    """True for a day at a tenth or less of what is usual."""
    return bool(row["known"] >= WEEKS_KNOWN and row["usual"] >= FEW and row["events"] <= ALL_BUT_STOPPED * row["usual"])


def silence(run: list[dict[str, Any]]) -> Silence:
    """A run of days in short."""
    first, last = run[0], run[-1]
    return Silence(
        first["source"],
        first["event"],
        first["day"],
        last["day"],
        sum(row["events"] for row in run),
        round(sum(row["usual"] for row in run)),
        last["day"] == last["until"] - timedelta(days=1),
    )
