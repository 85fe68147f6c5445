"""Changes: why the total rate of a funnel changed between the last two periods that have matured."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from transforms.contracts import MART_FUNNEL_CHANGE_GROUPS, MART_FUNNEL_CHANGE_STEPS
from transforms.journey import Funnel
from transforms.statistics import change_by_step, exported, mix_and_rate, rate

DAYS = 28
ATTEMPT = ("funnel", "unit_id", "entered_at", "entry_source", "entry_event_id")
ADDITIVE = ("entry", "first_touch", "last_touch")

Horizons = Mapping[str, datetime | None]


class Periods(NamedTuple):
    """Two periods of entry days, one right after the other, each with its first and last day."""

    before_from: date
    before_to: date
    after_from: date
    after_to: date


def matured_periods(funnel: Funnel, *, horizon: datetime | None, days: int = DAYS) -> Periods | None:
    """The last two periods of so many days whose every window has closed at the horizon; None without window or horizon."""
    if funnel.window is None or horizon is None:
        return None
    closed = (horizon - funnel.window).astimezone(ZoneInfo(funnel.time_zone)).date()
    ago = [closed - timedelta(days=number) for number in (2 * days, days + 1, days, 1)]
    return Periods(*ago)


def funnel_change_steps(entrants: pl.LazyFrame, *, funnels: Sequence[Funnel], horizons: Horizons) -> pl.LazyFrame:
    """What each mandatory step contributed to the change of each funnel's total rate.

    In:  MART_FUNNEL_ENTRANTS, at least the first of each unit and day of `matured_periods`; the funnels with their horizons.
    Out: MART_FUNNEL_CHANGE_STEPS, funnels in their order, steps in theirs. Source: semantics.md §9.
    """
    parts = [_steps(entrants, funnel, periods) for funnel, periods in _compared(funnels, horizons)]
    return pl.concat([MART_FUNNEL_CHANGE_STEPS.empty().lazy(), *parts])


def funnel_change_groups(
    entrants: pl.LazyFrame, groups: pl.LazyFrame, *, funnels: Sequence[Funnel], horizons: Horizons
) -> pl.LazyFrame:
    """What the mix of groups and their rates contributed to the change of each funnel's total rate.

    In:  MART_FUNNEL_ENTRANTS as of `funnel_change_steps`, and their MART_FUNNEL_ENTRANT_GROUPS; the funnels with their horizons.
    Out: MART_FUNNEL_CHANGE_GROUPS, funnels and breakdowns in their order, groups by value. Source: semantics.md §9.
    """
    parts = [
        _groups(entrants, groups, funnel, breakdown.label, periods)
        for funnel, periods in _compared(funnels, horizons)
        for breakdown in funnel.breakdowns
        if breakdown.as_of in ADDITIVE
    ]
    return pl.concat([MART_FUNNEL_CHANGE_GROUPS.empty().lazy(), *parts])


def _compared(funnels: Sequence[Funnel], horizons: Horizons) -> list[tuple[Funnel, Periods]]:
    found = [(funnel, matured_periods(funnel, horizon=horizons.get(funnel.name))) for funnel in funnels]
    return [(funnel, periods) for funnel, periods in found if periods is not None]


def _steps(entrants: pl.LazyFrame, funnel: Funnel, periods: Periods) -> pl.LazyFrame:
    """The rows of one funnel."""
    mandatory = [(number, step.label) for number, step in enumerate(funnel.steps, 1) if not step.optional]
    schema = {"step_number": pl.UInt32, "step_name": pl.String}
    attempts = _first_attempts(entrants, funnel, periods).select("is_after", "depth")
    got_there = pl.col("depth") >= pl.col("step_number")
    counted = (
        pl.LazyFrame(mandatory, schema=schema, orient="row")
        .join(attempts, how="cross")
        .group_by("step_number")
        .agg(**_by_period(got_there, "reached"), **_by_period(pl.lit(True), "entered"))
    )
    steps = (
        pl.LazyFrame(mandatory, schema=schema, orient="row")
        .join(counted, on="step_number", how="left")
        .with_columns(pl.col("^(reached|entered)_.*$").fill_null(0))
        .sort("step_number")
    )
    last_before, last_after = pl.col("reached_before").last(), pl.col("reached_after").last()
    change = rate(last_after, pl.col("entered_after").first()) - rate(last_before, pl.col("entered_before").first())
    told = change_by_step(steps).with_columns(exported(pl.col("part")), total_change=exported(change))
    return MART_FUNNEL_CHANGE_STEPS.conform(told.with_columns(**_named(funnel, periods)))


def _groups(
    entrants: pl.LazyFrame, groups: pl.LazyFrame, funnel: Funnel, breakdown: str, periods: Periods
) -> pl.LazyFrame:
    """The rows of one breakdown of a funnel."""
    last = max(number for number, step in enumerate(funnel.steps, 1) if not step.optional)
    values = groups.filter(pl.col("breakdown") == breakdown).select(*ATTEMPT, "value")
    counted = (
        _first_attempts(entrants, funnel, periods)
        .join(values, on=ATTEMPT)
        .group_by("value")
        .agg(**_by_period(pl.lit(True), "entered"), **_by_period(pl.col("depth") >= last, "reached"))
        .sort("value")
    )
    sums = {name: pl.col(name).sum() for name in ("reached_before", "entered_before", "reached_after", "entered_after")}
    change = rate(sums["reached_after"], sums["entered_after"]) - rate(sums["reached_before"], sums["entered_before"])
    told = mix_and_rate(counted).with_columns(total_change=exported(change))
    is_whole = pl.col("total_change").is_not_null()
    return MART_FUNNEL_CHANGE_GROUPS.conform(
        told.with_columns(
            mix_part=pl.when(is_whole).then(exported(pl.col("mix"))),
            rate_part=pl.when(is_whole).then(exported(pl.col("rate"))),
            breakdown=pl.lit(breakdown),
            **_named(funnel, periods),
        )
    )


def _first_attempts(entrants: pl.LazyFrame, funnel: Funnel, periods: Periods) -> pl.LazyFrame:
    """Each unit's first attempt of each period."""
    day = pl.col("entry_day")
    concerned = pl.col("is_first_of_day") & day.is_between(periods.before_from, periods.after_to)
    return (
        entrants.filter((pl.col("funnel") == funnel.name) & concerned)
        .select(*ATTEMPT, "depth", is_after=day >= periods.after_from)
        .sort(ATTEMPT)
        .group_by("unit_id", "is_after", maintain_order=True)
        .first()
    )


def _by_period(condition: pl.Expr, name: str) -> dict[str, pl.Expr]:
    """How many attempts of each period hold a condition."""
    is_after = pl.col("is_after")
    return {
        f"{name}_before": (condition & ~is_after).sum().cast(pl.Int64),
        f"{name}_after": (condition & is_after).sum().cast(pl.Int64),
    }


def _named(funnel: Funnel, periods: Periods) -> dict[str, pl.Expr]:
    return {"funnel": pl.lit(funnel.name), **{name: pl.lit(day) for name, day in periods._asdict().items()}}
