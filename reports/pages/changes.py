"""Changes: what the business did, and the rates before and after it."""

from datetime import date

import polars as pl

from reports.effects import DAYS_TO_ENTER, Effect, adjusted, funnel_effects, stage_effects
from reports.page import Cell, Figure, Page, Query, Section
from reports.tables import cells, numbers, table, texts
from reports.view import PERIOD_DAYS, View
from reports.words import count, day, name, percent, plural, points, quoted


def build(view: View) -> list[Page]:
    """The page of changes, where journey.yaml lists some.

    Reads reports.change_newcomers, and what the funnel pages count.
    """
    if not view.changes:
        return []
    stages, funnels = adjusted(stage_effects(view)), adjusted(funnel_effects(view))
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
