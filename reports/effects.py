"""Effects: rates before and after each change that journey.yaml lists."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

import polars as pl

from reports.rates import Difference, Rate
from reports.view import PERIOD_DAYS, Period, View
from reports.words import TOO_FEW, quoted
from transforms.journey import Change
from transforms.statistics import FALSE_DISCOVERY_RATE, benjamini_hochberg

DAYS_TO_ENTER = 7
"""Days within which a newcomer has to enter a stage; sql/reports/change_newcomers.sql says so too."""
NOT_YET = "not yet known"


@dataclass(frozen=True)
class Effect:
    """One rate before and after a change; `q_value` is its p value, adjusted for how many rates were looked at."""

    letter: str
    change: Change
    measured: str
    before: Rate
    after: Rate
    q_value: float | None = None

    @cached_property
    def difference(self) -> Difference | None:
        """The rate after less the rate before."""
        return Difference.of(self.after, self.before)

    @property
    def is_clear(self) -> bool:
        """True when the rates differ by more than chance."""
        return self.q_value is not None and self.q_value <= FALSE_DISCOVERY_RATE

    @property
    def verdict(self) -> str:
        """What may be said of the difference."""
        if not self.after.whole or not self.before.whole:
            return NOT_YET
        if self.q_value is None:
            return TOO_FEW
        return "differs" if self.is_clear else "no clear difference"


def periods(change: Change) -> tuple[Period, Period]:
    """The days before a change, and those from it on."""
    after = Period(change.date, change.date + timedelta(days=PERIOD_DAYS - 1))
    return after.before, after


def stage_effects(view: View) -> Iterator[Effect]:
    """Per change of a stage: how many newcomers entered that stage soon."""
    known = view.last_whole_day
    daily = view.table("reports.change_newcomers")
    for letter, change in view.changes:
        if change.stage is None or known is None:
            continue
        stage = view.journey.stage_named(change.stage, f"change '{change.name}'")
        over = daily.filter(pl.col("stage") == stage, pl.col("day") <= known - timedelta(days=DAYS_TO_ENTER))
        before, after = (rate_in(over, "day", period, "entered", "newcomers") for period in periods(change))
        yield Effect(letter, change, f"newcomers’ entry into {quoted(stage, limit=40)}", before, after)


def funnel_effects(view: View) -> Iterator[Effect]:
    """Per change and funnel: how many first attempts completed."""
    for letter, change in view.changes:
        for counts in view.funnels:
            if not counts.is_independent:
                continue
            daily = (
                counts.attempts.filter("is_closed")
                .group_by("entry_day")
                .agg(entered=pl.len(), done=pl.col("is_event").sum())
            )
            before, after = (rate_in(daily, "entry_day", period, "done", "entered") for period in periods(change))
            yield Effect(letter, change, f"completion of {quoted(counts.name, limit=40)}", before, after)


def rate_in(daily: pl.DataFrame, column: str, period: Period, part: str, whole: str) -> Rate:
    """The rate of the days of a period, pooled."""
    inside = daily.filter(period.holds(pl.col(column)))
    return Rate.of(int(inside[part].cast(pl.Int64).sum()), int(inside[whole].cast(pl.Int64).sum()))


def adjusted(found: Iterable[Effect]) -> list[Effect]:
    """The effects of which something is known, their p values adjusted for how many were looked at together."""
    effects = [effect for effect in found if effect.before.whole or effect.after.whole]
    p_values = [effect.difference.p_value if effect.difference else None for effect in effects]
    adjusting = pl.DataFrame({"p": p_values}, schema={"p": pl.Float64}).select(benjamini_hochberg(pl.col("p")))["p"]
    return [replace(effect, q_value=q_value) for effect, q_value in zip(effects, adjusting, strict=True)]
