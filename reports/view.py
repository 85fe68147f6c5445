"""View: what a page module is given: the tables, the journey, the facts of the site, and what several pages ask of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import polars as pl

from reports.funnel_counts import FunnelCounts, count_funnel
from reports.incidents import Incident, incidents
from reports.segments import MOST_MAPS
from reports.words import quoted, slug
from transforms.journey import Change, Journey, Segment

PERIOD_DAYS = 28


@dataclass(frozen=True)
class SiteFacts:
    """What the tables do not say of themselves.

    `day` is the day of the report: that of the horizon in the report time zone. `failed_files` are paths.
    `held_back_by` is the source whose data end before those of the others, so that the horizon is no later.
    """

    data_version: str
    configuration_version: str
    product_version: str
    horizon: datetime | None
    day: date | None
    rows_in: int = 0
    loaded: int = 0
    quarantined: int = 0
    failed_files: Sequence[str] = ()
    held_back_by: str | None = None


@dataclass(frozen=True)
class Period:
    """Whole days in a row, both ends included."""

    first: date
    last: date

    @property
    def before(self) -> "Period":
        """As many days, right before."""
        return Period(self.first - timedelta(days=PERIOD_DAYS), self.first - timedelta(days=1))

    def holds(self, day: pl.Expr) -> pl.Expr:
        """True for a day of the period."""
        return day.is_between(self.first, self.last)

    @classmethod
    def up_to(cls, last: date) -> "Period":
        """The period that ends with this day."""
        return cls(last - timedelta(days=PERIOD_DAYS - 1), last)


@dataclass(frozen=True)
class View:
    """The tables by name, the journey, and the facts of the site."""

    tables: Mapping[str, pl.DataFrame]
    journey: Journey
    facts: SiteFacts

    def table(self, name: str) -> pl.DataFrame:
        """One table. Raises KeyError naming the tables there are."""
        if name not in self.tables:
            raise KeyError(
                f"the report asks for the table {name!r}, but was given only: {', '.join(sorted(self.tables))}"
            )
        return self.tables[name]

    def answer(self, file: str) -> pl.DataFrame:
        """The rows that a file of sql/reports gives, in its order; counts and sums are whole numbers of 64 bits."""
        rows = self.table(f"reports.{file}")
        whole = [column for column, dtype in rows.schema.items() if dtype.is_integer()]
        return rows.with_columns(pl.col(whole).cast(pl.Int64))

    @property
    def held_back(self) -> str | None:
        """That a source which ends before the others limits what is known; None where none does."""
        if self.facts.held_back_by is None or self.facts.horizon is None:
            return None
        return (
            f"Known only up to {self.facts.horizon:%Y-%m-%d %H:%M} UTC, where the source {quoted(self.facts.held_back_by)} ends. "
            "If it is complete beyond that, say so with complete_to."
        )

    @property
    def last_whole_day(self) -> date | None:
        """The newest day, in the report time zone, of which everything has come in; None without events."""
        if self.facts.horizon is None:
            return None
        return (self.facts.horizon.astimezone(ZoneInfo(self.journey.time_zone)) - timedelta(days=1)).date()

    @property
    def period(self) -> Period | None:
        """The newest whole days, which the overview is about."""
        return Period.up_to(self.last_whole_day) if self.last_whole_day else None

    @property
    def changes(self) -> list[tuple[str, Change]]:
        """The changes of journey.yaml in order of time, each with the letter that marks it on the trends."""
        ordered = sorted(self.journey.changes, key=lambda change: (change.date, change.name))
        return [(letters(number), change) for number, change in enumerate(ordered)]

    def changes_between(self, days: Sequence[date]) -> list[tuple[str, Change]]:
        """The changes on or between the first and the last of these days."""
        return [(letter, change) for letter, change in self.changes if days and days[0] <= change.date <= days[-1]]

    @cached_property
    def funnels(self) -> tuple[FunnelCounts, ...]:
        """The counts of each funnel, in the order of journey.yaml."""
        files = _files("funnel", self.funnel_names)
        return tuple(
            count_funnel(
                {table: self.table(table) for table in FUNNEL_TABLES},
                name,
                definition=next((funnel for funnel in self.journey.funnels if funnel.name == name), None),
                file=files[name],
            )
            for name in self.funnel_names
        )

    @cached_property
    def stage_files(self) -> dict[str, str]:
        """The page of each stage."""
        return _files("stage", self.journey.stage_names)

    @cached_property
    def mapped_segments(self) -> list[tuple[Segment, str]]:
        """The segments that have a map of their own, with its page."""
        segments = self.journey.segments[:MOST_MAPS]
        files = _files("map", [segment.name for segment in segments])
        return [(segment, files[segment.name]) for segment in segments]

    @cached_property
    def incidents(self) -> list[Incident]:
        """Weeks in which one group behaved unlike itself and the others, the clearest first."""
        return incidents(self.answer("group_days"))

    @property
    def funnel_names(self) -> list[str]:
        """The funnels that have counts, in the order of journey.yaml, others after them by name."""
        found = set(self.table("core.funnel_definitions")["funnel"].to_list())
        known = [funnel.name for funnel in self.journey.funnels if funnel.name in found]
        return known + sorted(found - set(known))


def _files(prefix: str, names: Sequence[str]) -> dict[str, str]:
    """A page for each name, no two the same."""
    slugs: dict[str, str] = {}
    for each in names:
        slugs[each] = slug(each, slugs.values())
    return {each: f"{prefix}-{found}.html" for each, found in slugs.items()}


def letters(number: int) -> str:
    """A, B, …, Z, AA, AB, … for 0, 1, …"""
    rest, place = divmod(number, 26)
    return (letters(rest - 1) if rest else "") + chr(ord("A") + place)


FUNNEL_TABLES = (
    "core.funnel_definitions",
    "mart.funnel_entrants",
    "mart.funnel_steps",
    "mart.funnel_daily",
    "mart.funnel_breakdown",
)
