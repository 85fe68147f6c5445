"""Friction: at which contacts something goes wrong, and for how many customers."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.page import Cell, Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, name, quoted, sentence
from transforms.statistics import FEW

MOST_SHOWN = 12
LEAD = (
    "Trouble at a contact is a session that ends there without a conversion, an error right after it, or a ticket within a day. Not every end is "
    "somebody's fault; the ranking says where most customers are affected, not whom to blame. A customer counts once at each contact."
)


def build(view: View) -> list[Page]:
    """The page of friction; none where no contact has been met. Reads the answer friction."""
    contacts = view.answer("friction").sort("rank")
    if contacts.is_empty():
        return []
    parts = (
        Section("Most customers affected", (affected_figure(contacts),)),
        Section("What goes wrong there", (kind_figure(contacts),)),
    )
    return [Page("friction.html", "Friction", "Where it hurts", heading(contacts), LEAD, parts)]


def heading(contacts: pl.DataFrame) -> str:
    """The contact at which most customers are affected."""
    row = contacts.row(0, named=True)
    rate = Rate.of(row["affected"], row["customers"])
    if not row["affected"]:
        return "Nothing went wrong at any contact"
    return f"Most customers are affected at {quoted(row['touchpoint'], limit=40)}: {rate.counts}{f' ({rate.text})' if rate.says_enough else ''}"


def affected_figure(contacts: pl.DataFrame) -> Figure:
    """The contacts by how many customers met trouble there."""
    rates = [(row, Rate.of(row["affected"], row["customers"])) for row in contacts.iter_rows(named=True)]
    enough = [pair for pair in rates if pair[1].says_enough]
    worst = max(enough, key=lambda pair: (pair[1].value or 0, -pair[0]["rank"]), default=None)
    return Figure(
        "friction",
        f"The largest share is affected at {quoted(worst[0]['touchpoint'])}: {worst[1].text} of those who had it ({worst[1].evidence})"
        if worst
        else "Too few customers to compare contacts",
        f"Of the customers who had the contact, how many met trouble at it at least once. The "
        f"{min(MOST_SHOWN, len(rates))} that affect most customers are drawn, the most on top.",
        rate_dots([(row["touchpoint"], rate) for row, rate in rates[:MOST_SHOWN]]),
        table(
            (*numbers("Rank"), *texts("Contact"), *rate_columns("Affected", "Customers")),
            [
                cells(str(row["rank"]), Cell(name(row["touchpoint"]), where(row)), *rate_cells(rate))
                for row, rate in rates
            ],
        ),
        Query("friction"),
    )


def kind_figure(contacts: pl.DataFrame) -> Figure:
    """Exits, errors and tickets at each contact."""
    errors = contacts.filter(pl.col("errors") > 0).sort("errors", "rank", descending=[True, False])
    finding = "No errors were met"
    if errors.height:
        row = errors.row(0, named=True)
        rate = Rate.without_interval(row["errors"], row["sessions"])
        finding = f"Most errors follow {quoted(row['touchpoint'])}: in {rate.counts} sessions{f' ({rate.text})' if rate.says_enough else ''}"
    return Figure(
        "friction-kinds",
        finding,
        "Sessions that held the contact: how many ended there without a conversion, had an error before the next "
        "contact, or converted; and customers who opened a ticket within a day.",
        None,
        table(
            (
                *texts("Contact"),
                *numbers("Sessions", "Ended there", "With an error", "Converted", "Customers with a ticket"),
            ),
            [
                cells(
                    Cell(name(row["touchpoint"]), where(row)),
                    count(row["sessions"]),
                    *(part_cell(row[column], row["sessions"]) for column in ("exits", "errors", "converted_sessions")),
                    part_cell(row["customers_with_ticket"], row["customers"]),
                )
                for row in contacts.iter_rows(named=True)
            ],
            note="Sessions of one customer depend on each other: no interval is given for their shares.",
        ),
        Query("friction"),
        is_open=True,
    )


def part_cell(part: int, whole: int) -> Cell:
    """A count with the share under it, where that says something."""
    return Cell(count(part), Rate.without_interval(part, whole).text if whole >= FEW else "")


def where(row: dict[str, str | None]) -> str:
    """The stage and phase of a contact."""
    return sentence(" · ".join(name(row[part]) for part in ("stage", "phase") if row[part]))
