"""Support map: the way of tickets from opened to resolved, who comes how far, how long each step takes, and what happens meanwhile."""

from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.rate_bars import rate_bars
from reports.page import Cell, Figure, Grid, GridRow, Item, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, duration, name, plural, quoted, sentence
from transforms.statistics import FEW

MOST_LINES = 3
LEAD = (
    "Tickets as the help desk tells of them, so far: those that are open may come further. Times run from the opening and count also tickets that "
    "have not come so far. One customer may have several tickets, so that intervals are a little too narrow."
)
ANSWERED, HANDED_ON, RESOLVED, REOPENED = 2, 3, 4, 5
"""Steps of the way, by the number that ticket_steps gives them; 1 is the opening."""
WAITS = {ANSWERED: "until the first answer", RESOLVED: "until it is resolved"}
COURSES = {RESOLVED: "straight through", HANDED_ON: "handed on", REOPENED: "reopened"}


def build(view: View) -> list[Page]:
    """The map of support; none without tickets. Reads the answers ticket_steps, ticket_ways and ticket_meanwhile."""
    steps = view.answer("ticket_steps")
    if steps.is_empty():
        return []
    ways, meanwhile = view.answer("ticket_ways"), view.answer("ticket_meanwhile")
    whole = steps.filter(pl.col("split") == "all").sort("step_number")
    parts = (
        Section("From opened to resolved", (step_figure(whole),)),
        Section("The map", (step_grid(steps, ways, meanwhile),)),
        Section("How it went", (way_figure(ways),)),
        Section("While they waited", (meanwhile_figure(meanwhile),)),
    )
    return [Page("support-map.html", "Support map", "From ticket to solution", heading(whole), LEAD, parts)]


def rates_of(rows: pl.DataFrame) -> list[Rate]:
    """How many tickets came to each step, of those that could."""
    return Rate.each(rows["tickets"].to_list(), rows["of_tickets"].to_list())


def heading(whole: pl.DataFrame) -> str:
    """How many are resolved, and how soon."""
    row = whole.filter(pl.col("step_number") == RESOLVED).row(0, named=True)
    rate = Rate.of(row["tickets"], row["of_tickets"])
    if not rate.says_enough:
        return f"{plural(rate.whole, 'ticket')} so far: too few to say how they go"
    soon = f", half of all within {duration(row['median_seconds'])}" if row["median_seconds"] is not None else ""
    return f"{rate.counts} tickets are resolved{soon}"


def step_figure(whole: pl.DataFrame) -> Figure:
    """How many tickets come to each step."""
    rates = rates_of(whole)
    bars = pl.DataFrame({
        "label": whole["step"], "reached": [rate.part for rate in rates], "whole": [rate.whole for rate in rates],
        "low": [rate.low for rate in rates], "high": [rate.high for rate in rates],
    }).with_columns(lost=pl.lit(None, pl.Int64))  # fmt: skip
    return Figure(
        "ticket-steps",
        slowest_sentence(whole),
        "Tickets that came to each step, of those that could: first answers and hand-offs are asked of help desks that tell of them, "
        "reopened can be what was resolved. The thin line is the 95% interval.",
        rate_bars(bars),
        table(
            (
                *texts("Step"),
                *rate_columns("Tickets", "Of those that could"),
                *numbers("Customers", "A quarter within", "Half within", "Three quarters within"),
            ),
            [
                cells(
                    sentence(name(row["step"])),
                    *rate_cells(rate),
                    count(row["customers"]),
                    *(times(row, column) for column in ("quarter", "median", "three_quarter")),
                )
                for row, rate in zip(whole.iter_rows(named=True), rates, strict=True)
            ],
        ),
        Query("ticket_steps"),
        is_open=True,
    )  # fmt: skip


def times(row: dict[str, Any], column: str) -> str:
    """When so many had the step behind them; a dash for the opening, and for steps without a time."""
    seconds = row[f"{column}_seconds"]
    return duration(seconds) if row["step_number"] > 1 and row["of_tickets"] >= FEW else "–"


def slowest_sentence(whole: pl.DataFrame) -> str:
    """How long the first answer takes, and the rest of the way."""
    medians = {
        row["step_number"]: row["median_seconds"] for row in whole.iter_rows(named=True) if row["of_tickets"] >= FEW
    }
    if RESOLVED not in medians:
        return "Too few tickets to say how long each step takes"
    known = ((ANSWERED, "a first answer"), (RESOLVED, "a solution"))
    said = [f"{what} within {duration(medians[step])}" for step, what in known if medians.get(step) is not None]
    return f"Half have {' and '.join(said)}" if said else "Fewer than half have a first answer or a solution so far"


def step_grid(steps: pl.DataFrame, ways: pl.DataFrame, meanwhile: pl.DataFrame) -> Grid:
    """The steps side by side: who comes there, how long it takes, which tickets are slow, and what customers do meanwhile."""
    every = list(steps.filter(pl.col("split") == "all").sort("step_number").iter_rows(named=True))
    slow = "the slowest first; where there is no time, the most frequent"

    def across(label: str, note: str, items: Callable[[dict[str, Any]], tuple[Item, ...]]) -> GridRow:
        return GridRow(label, note, tuple(items(row) for row in every))

    rows = (
        across("Tickets", "of those that could come here; customers", reached_items),
        across("Time", "from the opening", time_items),
        across("Channels", slow, partial(split_items, steps, "channel")),
        across("What about", slow, partial(split_items, steps, "category")),
        across(
            "Customers meanwhile",
            "what they did of their own while they waited for this",
            partial(meanwhile_items, meanwhile),
        ),
        across("Satisfaction", "CSAT within seven days after the closing: 4 or 5", partial(satisfied_items, ways)),
    )
    columns = tuple(Item(sentence(name(row["step"])), plural(row["tickets"], "ticket")) for row in every)
    return Grid("The way of tickets, step by step", columns, rows, corner="Step")


def reached_items(row: dict[str, Any]) -> tuple[Item, ...]:
    """How many came to a step."""
    rate = Rate.of(row["tickets"], row["of_tickets"])
    if not rate.whole and row["step_number"] in (ANSWERED, HANDED_ON):
        return (Item("the help desk does not tell"),)
    return (Item(rate.text, f"{rate.counts}; {plural(row['customers'], 'customer')}"),)


def time_items(row: dict[str, Any]) -> tuple[Item, ...]:
    """Median and quartiles of a step that has a time."""
    quarter, half, most = (times(row, column) for column in ("quarter", "median", "three_quarter"))
    return (
        ()
        if half == "–"
        else (Item(f"half within {half}", f"a quarter within {quarter}, three quarters within {most}"),)
    )


def split_items(steps: pl.DataFrame, split: str, row: dict[str, Any]) -> tuple[Item, ...]:
    """The channels or categories that take longest to a step; of a step without a time, those with the largest share."""
    mine = pl.col("split") == split, pl.col("step_number") == row["step_number"]
    here = steps.filter(*mine, pl.col("of_tickets") >= FEW, pl.col("tickets") > 0)
    timed = here.filter(pl.col("median_seconds").is_not_null(), pl.col("step_number") > 1)
    if not timed.is_empty():
        slowest = timed.sort("median_seconds", "value", descending=[True, False]).head(MOST_LINES)
        return tuple(
            Item(
                name(each["value"]),
                f"half within {duration(each['median_seconds'])} ({plural(each['of_tickets'], 'ticket')})",
            )
            for each in slowest.iter_rows(named=True)
        )
    if row["step_number"] == 1:
        here = here.with_columns(of_tickets=pl.lit(row["tickets"], pl.Int64))
    most = here.sort(pl.col("tickets") / pl.col("of_tickets"), "value", descending=[True, False]).head(MOST_LINES)
    return tuple(
        Item(name(value), f"{rate.text} ({rate.counts})")
        for value, rate in zip(most["value"], rates_of(most), strict=True)
    )


def meanwhile_items(meanwhile: pl.DataFrame, step: dict[str, Any]) -> tuple[Item, ...]:
    """What customers did while they waited for a step."""
    here = meanwhile.filter(pl.col("wait") == WAITS.get(step["step_number"], "")).head(MOST_LINES)
    return tuple(
        Item(name(row["contact"]), f"in {count(row['tickets'])} of {count(row['of_tickets'])} waits")
        for row in here.iter_rows(named=True)
    )


def satisfied_items(ways: pl.DataFrame, step: dict[str, Any]) -> tuple[Item, ...]:
    """How satisfied those were whose tickets went this way."""
    course = COURSES.get(step["step_number"], "")
    row = next(ways.filter(pl.col("course") == course, pl.col("answers") > 0).iter_rows(named=True), None)
    if row is None:
        return ()
    rate = Rate.of(row["satisfied"], row["answers"])
    return (Item(rate.text, f"{rate.counts} who answered, {row['course']}"),)


def way_figure(ways: pl.DataFrame) -> Figure:
    """How satisfied customers are, by how their ticket went."""
    rates = Rate.each(ways["satisfied"].to_list(), ways["answers"].to_list())
    rows = list(zip(ways.iter_rows(named=True), rates, strict=True))
    judged = [(row, rate) for row, rate in rows if rate.says_enough]
    first = judged[0] if judged else None
    return Figure(
        "ticket-ways",
        f"Of those whose tickets went {first[0]['course']}, {first[1].text} are satisfied: {first[1].counts}"
        if first
        else "Too few have answered to say how satisfied they are",
        "Straight through is neither handed on nor reopened. Satisfied is a CSAT answer of 4 or 5 within seven days after the closing; who "
        "answers may differ from who does not.",
        rate_dots([(row["course"], rate) for row, rate in rows]),
        table(
            (*texts("How it went"), *rate_columns("Satisfied", "Answered"), *numbers("Tickets", "Resolved", "Hand-offs", "Half resolved within")),
            [
                cells(
                    sentence(row["course"]), *rate_cells(rate), count(row["tickets"]), count(row["resolved"]), count(row["hand_offs"]),
                    duration(row["median_seconds"]) if row["tickets"] >= FEW else "–",
                )
                for row, rate in rows
            ],
        ),
        Query("ticket_ways"),
    )  # fmt: skip


def meanwhile_figure(meanwhile: pl.DataFrame) -> Figure:
    """What customers do while their ticket waits."""
    rates = rates_of(meanwhile)
    rows = list(zip(meanwhile.iter_rows(named=True), rates, strict=True))
    most = max(rows, key=lambda pair: pair[1].part, default=None)
    return Figure(
        "ticket-meanwhile",
        f"Most often {quoted(most[0]['contact'])} {most[0]['wait']}: in {most[1].counts} waits"
        if most
        else "While their tickets waited, customers did nothing that was seen",
        "Events of the customer’s own between the opening and the first answer, and from then until the ticket was resolved; each counts "
        "once a ticket.",
        rate_dots([(f"{row['contact']}, {row['wait']}", rate) for row, rate in rows[:10]]) if rows else None,
        table(
            (*texts("What"), *texts("When"), *rate_columns("Tickets", "Waits")),
            [cells(name(row["contact"]), Cell(row["wait"]), *rate_cells(rate)) for row, rate in rows],
        ),
        Query("ticket_meanwhile"),
    )
