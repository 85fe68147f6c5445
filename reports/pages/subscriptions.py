"""Subscriptions: how many start, renew and end, and what puts those that go on at risk."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.stacks import Part, stacked_bars
from reports.frames import single
from reports.page import Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, name, plural, quoted
from transforms.statistics import FEW

STATES = ("trial", "active", "paused", "cancelled", "expired")
GOING_ON = STATES[:3]
LEAD = (
    "Every subscription counts once, by how it stands at the end of the data; a month counts those that were "
    "decided in it: renewed, cancelled or run out."
)


def build(view: View) -> list[Page]:
    """The page of subscriptions; none without any. Reads the answers subscriptions, subscription_risks and renewals."""
    plans, months = view.answer("subscriptions"), view.answer("renewals")
    if plans.is_empty():
        return []
    parts = (
        Section("Renewals", (renewal_figure(months), month_figure(months))),
        Section("How they stand", (plan_figure(plans), risk_figure(view.answer("subscription_risks"), plans))),
    )
    return [Page("subscriptions.html", "Subscriptions", "Subscriptions and renewals", heading(plans), LEAD, parts)]


def summed(rows: pl.DataFrame, *columns: str) -> int:
    """The sum of columns of counts."""
    return int(single(rows, pl.sum_horizontal(pl.col(column).sum() for column in columns)) or 0)


def heading(plans: pl.DataFrame) -> str:
    """How many go on, and how many of them are at risk."""
    going_on = summed(plans, *GOING_ON)
    rate = Rate.of(summed(plans, "at_risk"), going_on)
    return (
        f"{count(going_on)} of {plural(summed(plans, 'subscriptions'), 'subscription')} go on, {count(rate.part)} "
        f"of them at risk{f' ({rate.text})' if rate.says_enough else ''}"
    )


def renewal_figure(months: pl.DataFrame) -> Figure:
    """The share of decided subscriptions that renewed, month by month."""
    rates = [(row, Rate.of(row["kept"], row["decided"])) for row in months.iter_rows(named=True) if row["decided"]]
    every = Rate.of(sum(rate.part for _, rate in rates), sum(rate.whole for _, rate in rates))
    return Figure(
        "renewal-rate",
        f"{every.text} of decisions were renewals: {every.evidence}"
        if every.says_enough
        else "Too few subscriptions were decided to say how many renew",
        "Of the subscriptions that were renewed or ended in a month, those that were renewed and did not end in it; the newest twelve months. "
        "One that renews monthly counts in each month.",
        rate_dots([(f"{row['month']:%B %Y}", rate) for row, rate in rates[-12:]]),
        table(
            (*texts("Month"), *rate_columns("Renewed", "Decided")),
            [cells(f"{row['month']:%Y-%m}", *rate_cells(rate)) for row, rate in reversed(rates)],
        ),
        Query("renewals"),
    )


def month_figure(months: pl.DataFrame) -> Figure:
    """Subscriptions that start, grow, shrink and end each month."""
    started, ended = summed(months, "started"), summed(months, "cancelled", "expired")
    lost = (months["cancelled"] + months["expired"]).to_list()
    return Figure(
        "subscription-months",
        f"{count(started)} started and {count(ended)} ended in {plural(months.height, 'month')}",
        "Above the line those that started, below it those that were cancelled or ran out.",
        stacked_bars(
            months["month"].to_list(),
            [Part("started", months["started"].to_list()), Part("ended", lost, is_loss=True)],
            unit="subscriptions",
        )
        if months.height
        else None,
        table(
            (*texts("Month"), *numbers("Started", "Renewed", "Grew", "Shrank", "Cancelled", "Ran out")),
            [
                cells(
                    f"{row['month']:%Y-%m}",
                    *(
                        count(row[column])
                        for column in ("started", "renewed", "upgraded", "downgraded", "cancelled", "expired")
                    ),
                )
                for row in reversed(months.rows(named=True))
            ],
        ),
        Query("renewals"),
    )


def plan_figure(plans: pl.DataFrame) -> Figure:
    """Subscriptions by plan and state."""
    first = plans.row(0, named=True)
    return Figure(
        "plans",
        f"Most subscriptions are of the plan {quoted(first['plan'])}: {count(first['subscriptions'])} of {count(summed(plans, 'subscriptions'))}",
        "By the plan that the last event of each names.",
        None,
        table(
            (
                *texts("Plan"),
                *numbers("Subscriptions", *(state.capitalize() for state in STATES), "At risk", "Renewals so far"),
            ),
            [
                cells(
                    name(row["plan"]),
                    *(count(row[column]) for column in ("subscriptions", *STATES, "at_risk", "renewals")),
                )
                for row in plans.iter_rows(named=True)
            ],
        ),
        Query("subscriptions"),
        is_open=True,
    )


def risk_figure(risks: pl.DataFrame, plans: pl.DataFrame) -> Figure:
    """What puts subscriptions that go on at risk."""
    going_on = summed(plans, *GOING_ON)
    rates = [
        (row["risk"], Rate.of(row["subscriptions"], row["of_subscriptions"])) for row in risks.iter_rows(named=True)
    ]
    first = rates[0] if rates else None
    said = f" ({first[1].text})" if first and first[1].says_enough else ""
    return Figure(
        "risks",
        f"The commonest risk is {quoted(first[0])}: {first[1].counts} that go on{said}"
        if first
        else "Nothing puts a subscription at risk",
        "Expiring: the term ends within 30 days. Quiet: the customer has done nothing for 30 days. Detractor: the last "
        "answer to the NPS survey was 6 or less. "
        "One may be at risk for several reasons.",
        rate_dots(rates) if going_on >= FEW else None,
        table(
            (*texts("Risk"), *rate_columns("At risk", "Going on")),
            [cells(name(risk), *rate_cells(rate)) for risk, rate in rates],
        ),
        Query("subscription_risks"),
        is_open=True,
    )
