"""Carts: what becomes of carts that were filled, and whether reminders bring them back."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.frames import single
from reports.page import Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, money, plural, sentence
from transforms.statistics import FEW

STATES = (
    ("ordered", "Ordered within a day"),
    ("recovered", "Ordered later, within a week"),
    ("abandoned", "Not ordered within a week"),
)
LEAD = (
    "A cart begins with the first thing put into it and is filled until something is bought. It is final once it is ordered or a week has gone by; "
    "the others still have time and are not counted into any share."
)


def build(view: View) -> list[Page]:
    """The page of carts; none where nobody has filled one. Reads the answer carts."""
    carts = view.answer("carts")
    if carts.is_empty():
        return []
    final = carts.filter("is_final")
    parts = (
        Section("What becomes of carts", (state_figure(carts),)),
        Section("Reminders", (reminder_figure(final),)),
    )
    return [Page("carts.html", "Carts", "Abandoned carts", heading(final), LEAD, parts)]


def number_of(carts: pl.DataFrame, state: str | None = None) -> int:
    """How many carts, or how many of one state."""
    rows = carts if state is None else carts.filter(pl.col("status") == state)
    return int(single(rows, pl.col("carts").sum()))


def heading(final: pl.DataFrame) -> str:
    """The share of carts that were never ordered."""
    rate = Rate.of(number_of(final, "abandoned"), number_of(final))
    if not rate.says_enough:
        return f"{plural(rate.whole, 'cart')} so far are final: too few to say how many are abandoned"
    return f"{rate.text} of carts are abandoned: {rate.counts}"


def state_figure(carts: pl.DataFrame) -> Figure:
    """Final carts by what became of them."""
    final = carts.filter("is_final")
    whole, running = number_of(final), number_of(carts) - number_of(final)
    rates = [(words, Rate.of(number_of(final, state), whole)) for state, words in STATES]
    value = (
        final.filter(pl.col("value_minor").is_not_null(), pl.col("status") == "recovered")
        .group_by("currency")
        .agg(pl.col("value_minor").sum())
        .sort("currency")
    )
    won_back = " and ".join(
        money(minor, currency) for currency, minor in value.select("currency", "value_minor").rows()
    )
    back = Rate.of(number_of(final, "recovered"), number_of(final, "recovered") + number_of(final, "abandoned"))
    return Figure(
        "cart-states",
        f"Of carts not ordered within a day, {back.text} are ordered later: {back.evidence}{f', worth {won_back}' if won_back else ''}"
        if back.says_enough
        else "Too few carts to say how many come back",
        f"Carts whose time is over, {count(whole)}; {count(running)} more still have time. One customer may have "
        f"several carts, so the intervals are a little too narrow.",
        rate_dots(rates),
        table(
            (*texts("What became of it"), *rate_columns("Carts", "Final carts")),
            [cells(words, *rate_cells(rate)) for words, rate in rates],
            note=f"Still with time: {count(running)}.",
        ),
        Query("carts"),
    )


def reminder_figure(final: pl.DataFrame) -> Figure:
    """Carts not ordered within a day, by whether a reminder was sent and clicked."""
    late = final.filter(pl.col("status") != "ordered")
    groups = (
        ("No reminder", late.filter(~pl.col("is_reminded"))),
        ("Reminded, not clicked", late.filter("is_reminded", ~pl.col("is_clicked"))),
        ("Reminded and clicked", late.filter("is_reminded", "is_clicked")),
    )
    rates = [(words, Rate.of(number_of(rows, "recovered"), number_of(rows))) for words, rows in groups]
    reminded = Rate.of(*(sum(getattr(rate, side) for _, rate in rates[1:]) for side in ("part", "whole")))
    without = rates[0][1]
    finding = (
        "No reminder was sent"
        if not reminded.whole
        else "Too few carts to compare those with a reminder and those without"
    )
    if min(reminded.whole, without.whole) >= FEW:
        finding = sentence(
            f"{reminded.text} of reminded carts were ordered after all ({reminded.counts}), {without.text} of the others ({without.counts})"
        )
    return Figure(
        "cart-reminders",
        finding,
        "Carts not ordered within a day. Reminders go to people whose address is known, who buy more often anyway: the "
        "difference is not the reminder's doing alone.",
        rate_dots(rates),
        table(
            (*texts("Reminder"), *rate_columns("Ordered after all", "Carts"), *numbers("Not ordered")),
            [cells(words, *rate_cells(rate), count(rate.whole - rate.part)) for words, rate in rates],
        ),
        Query("carts"),
    )
