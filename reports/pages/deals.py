"""Deals: how many deals and leads are won and lost, how soon, and why they are lost."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.steps import Line, step_lines
from reports.frames import single
from reports.page import Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, money, name, percent, plural, quoted, sentence
from transforms.statistics import FEW


def build(view: View) -> list[Page]:
    """The page of deals and leads; none without any. Reads the answers sales_outcomes and lost_reasons."""
    outcomes, reasons = view.answer("sales_outcomes"), view.answer("lost_reasons")
    if outcomes.is_empty():
        return []
    kinds = outcomes["object"].unique().sort().to_list()
    parts = (
        Section("Won and lost over time", tuple(curves_figure(outcomes, kind) for kind in kinds)),
        Section("Why they are lost", (reasons_figure(reasons),)),
    )
    return [Page("deals.html", "Deals", "Deals and leads", heading(outcomes, kinds), LEAD, parts)]


LEAD = (
    "Every deal and lead counts from the day it began. Those that are still open are part of the curves for as long as they have been watched, "
    "so that a young pipeline does not look like a bad one."
)


def ended(outcomes: pl.DataFrame, kind: str, outcome: str) -> tuple[int, int]:
    """How many had this outcome so far, and how many there are."""
    rows = outcomes.filter(pl.col("object") == kind)
    happened = single(rows.filter(pl.col("outcome") == outcome), pl.col("happened").max())
    return int(happened or 0), int(single(rows, pl.col("records").max()) or 0)


def heading(outcomes: pl.DataFrame, kinds: list[str]) -> str:
    """What became of those that ended."""
    kind = kinds[0]
    (won, every), (lost, _) = ended(outcomes, kind, "won"), ended(outcomes, kind, "lost")
    rate = Rate.of(won, won + lost)
    return (
        f"{count(won)} of {plural(won + lost, kind)} that ended {'was' if won == 1 else 'were'} "
        f"won{f' ({rate.text})' if rate.says_enough else ''}, {count(every - won - lost)} are open"
    )


def curves_figure(outcomes: pl.DataFrame, kind: str) -> Figure:
    """The shares won and lost by day since the start."""
    rows = outcomes.filter(pl.col("object") == kind)
    records = int(single(rows, pl.col("records").max()))
    lines = []
    for outcome in ("won", "lost"):
        points = rows.filter(pl.col("outcome") == outcome).sort("day")
        if points.is_empty():
            continue
        lines.append(
            Line(
                outcome,
                [0, *points["day"].to_list()],
                [0.0, *points["share"].to_list()],
                [
                    f"{outcome} at the start: 0",
                    *(
                        f"{outcome} within {plural(day, 'day')}: {percent(share)} ({count(happened)} of {count(records)} so far)"
                        for day, share, happened in points.select("day", "share", "happened").rows()
                    ),
                ],
            )
        )
    latest = {
        outcome: rows.filter(pl.col("outcome") == outcome).sort("day").tail(1).row(0, named=True)
        for outcome in rows["outcome"].unique().sort().to_list()
    }
    said = [
        f"{percent(latest[outcome]['share'])} are {outcome} within {plural(latest[outcome]['day'], 'day')}"
        for outcome in ("won", "lost")
        if outcome in latest
    ]
    return Figure(
        f"outcomes-{kind}",
        sentence(f"of {plural(records, kind)}, {' and '.join(said)}")
        if records >= FEW
        else f"{plural(records, kind)}: too few to say how soon they end",
        f"The share of all {kind}s that had ended so after so many days (Aalen–Johansen: each outcome rules out the "
        f"other). What is missing from 100% is open.",
        step_lines(lines, axis="days since it began") if records >= FEW else None,
        table(
            (*texts("Outcome"), *numbers("Within days", "So far", "Of all", "Estimated share")),
            [
                cells(
                    outcome,
                    *(count(number) for number in (day, happened, whole)),
                    percent(share) if whole >= FEW else "too few to say",
                )
                for outcome, day, happened, whole, share in rows.select(
                    "outcome", "day", "happened", "records", "share"
                ).rows()
            ],
            note="The share is an estimate and stands without an interval.",
            most=120,
        ),
        Query("sales_outcomes"),
        is_open=records < FEW,
    )


def reasons_figure(reasons: pl.DataFrame) -> Figure:
    """Why they were lost, the commonest first."""
    rates = [(row, Rate.of(row["lost"], row["all_lost"])) for row in reasons.iter_rows(named=True)]
    told = [(row, rate) for row, rate in rates if row["lost_reason"] != "(not given)"]
    first = max(told, key=lambda pair: pair[1].part, default=None)
    finding = (
        f"The commonest reason for a loss is {quoted(first[0]['lost_reason'])}: {first[1].counts} {first[0]['object']}s lost"
        if first
        else "Nothing was lost"
        if not rates
        else "No reason was given for any loss"
    )
    return Figure(
        "lost-reasons",
        finding,
        "As the CRM gives them. Money of different currencies is never added.",
        rate_dots(
            [
                (f"{row['lost_reason']} ({row['object']}{', ' + row['currency'] if row['currency'] else ''})", rate)
                for row, rate in rates[:12]
            ]
        )
        if told
        else None,
        table(
            (*texts("Reason", "Of a"), *rate_columns("Lost for it", "All lost"), *numbers("Value lost")),
            [
                cells(
                    name(row["lost_reason"]),
                    row["object"],
                    *rate_cells(rate),
                    money(row["value_minor"], row["currency"]),
                )
                for row, rate in rates
            ],
        ),
        Query("lost_reasons"),
    )
