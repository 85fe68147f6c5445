"""Changes: what the business did, and the rates before and after it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from reports.page import Cell, Figure, Page, Query, Section
from reports.rates import Difference, Rate
from reports.tables import cells, numbers, table, texts
from reports.view import PERIOD_DAYS, Period, View
from reports.words import TOO_FEW, count, day, name, percent, plural, points, quoted
from transforms.journey import Change
from transforms.statistics import FALSE_DISCOVERY_RATE, benjamini_hochberg

DAYS_TO_ENTER = 7
"""Days within which a newcomer has to enter a stage; the SQL of the figure says so too."""
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

    @property
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


def build(view: View) -> list[Page]:
    """The page of changes, where journey.yaml lists some.

    Reads reports.change_newcomers, and what the funnel pages count.
    """
    if not view.changes:
        return []
    stages, funnels = adjusted(list(stage_effects(view))), adjusted(list(funnel_effects(view)))
    parts = [
        Section("Newcomers", (effect_figure("change-stages", STAGE_WORDS, "change_newcomers", stages),))
        if stages
        else None,
        Section("Funnels", (effect_figure("change-funnels", FUNNEL_WORDS, "change_funnels", funnels),))
        if funnels
        else None,
    ]
    text = (
        f"Each change of journey.yaml with the {PERIOD_DAYS} days before it and the {PERIOD_DAYS} days from it on. A rate that moved together with a "
        "change need not have moved because of it: other things happen in the same weeks, and they are not taken out."
    )
    heading = top([*stages, *funnels])
    return [Page("changes.html", "Changes", "Before and after", heading, text, tuple(part for part in parts if part))]


STAGE_WORDS = (
    f"Customers by the day they were first seen, and those of them who entered the change’s stage within {DAYS_TO_ENTER} days; only newcomers "
    "for whom these days are over."
)
FUNNEL_WORDS = "First attempts by the day of entry; only those whose window is over. Funnels that may count a customer several times are left out."


def top(effects: list[Effect]) -> str:
    """The clearest difference, or that there is none."""
    clear = [effect for effect in effects if effect.is_clear and effect.difference]
    if not clear:
        return "No rate differs by more than chance before and after a change"
    best = min(clear, key=lambda effect: (effect.q_value, effect.letter, effect.measured))
    way = "rose" if (best.after.value or 0) > (best.before.value or 0) else "fell"
    return f"After {quoted(best.change.name, limit=40)}, {best.measured} {way} from {percent(best.before.value)} to {percent(best.after.value)}"


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


def adjusted(effects: list[Effect]) -> list[Effect]:
    """The effects with their p values adjusted for how many were looked at together."""
    p_values = [effect.difference.p_value if effect.difference else None for effect in effects]
    adjusting = pl.DataFrame({"p": p_values}, schema={"p": pl.Float64}).select(benjamini_hochberg(pl.col("p")))["p"]
    return [replace(effect, q_value=q_value) for effect, q_value in zip(effects, adjusting, strict=True)]


def effect_figure(slug: str, words: str, query: str, effects: list[Effect]) -> Figure:
    """Rates before and after each change."""
    clear = [effect for effect in effects if effect.is_clear]
    return Figure(
        slug,
        f"{count(len(clear))} of {plural(len(effects), 'rate')} {'differs' if len(clear) == 1 else 'differ'} by more than chance",
        f"{words} The interval is Newcombe’s; false discoveries are held to 5%.",
        None,
        table(
            (*texts("Change", "Rate"), *numbers("Before", "After", "Difference", "95% interval"), *texts("Verdict")),
            [effect_row(effect) for effect in effects],
            most=200,
        ),
        Query(query),
        is_open=True,
        rows=pl.DataFrame([record(effect) for effect in effects], schema=RECORD),
    )


def effect_row(effect: Effect) -> tuple[Cell, ...]:
    """One rate before and after."""
    difference = effect.difference
    shown = difference is not None and effect.before.says_enough and effect.after.says_enough
    return cells(
        Cell(f"{effect.letter}: {name(effect.change.name)}", day(effect.change.date)),
        effect.measured,
        Cell(effect.before.text, effect.before.counts),
        Cell(effect.after.text, effect.after.counts),
        points(difference.value) if difference and shown else "–",
        f"{points(difference.low)[:-7]} to {points(difference.high)}" if difference else "–",
        effect.verdict,
    )


RECORD = {
    "date": pl.Date,
    "change": pl.String,
    "rate": pl.String,
    **dict.fromkeys(("before_part", "before_whole", "after_part", "after_whole"), pl.Int64),
    **dict.fromkeys(("difference", "difference_low", "difference_high", "q_value"), pl.Float64),
    "verdict": pl.String,
}


def record(effect: Effect) -> dict[str, date | str | int | float | None]:
    """An effect as a row to keep."""
    found = effect.difference
    return {
        "date": effect.change.date,
        "change": effect.change.name,
        "rate": effect.measured,
        "before_part": effect.before.part,
        "before_whole": effect.before.whole,
        "after_part": effect.after.part,
        "after_whole": effect.after.whole,
        "difference": found.value if found else None,
        "difference_low": found.low if found else None,
        "difference_high": found.high if found else None,
        "q_value": effect.q_value,
        "verdict": effect.verdict,
    }
