"""Accounts: the companies behind the customers: how many people take part, how long they take, what became of their deals."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.spans import until
from reports.frames import single
from reports.page import Cell, Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, name, plural, quoted
from transforms.statistics import FEW

MOST_PEOPLE = 10
LEAD = (
    "A customer belongs to the account that the last event names. Its way to the first conversion begins with the "
    "first event of any of its people."
)


def build(view: View) -> list[Page]:
    """The page of accounts; none where no customer has one. Reads the answers account_totals and accounts."""
    totals = view.answer("account_totals")
    if totals.is_empty():
        return []
    parts = [
        Section("How many buy", (people_figure(totals),)),
        Section("The largest accounts", (list_figure(view.answer("accounts"), totals),)),
    ]
    return [Page("accounts.html", "Accounts", "Companies and their people", heading(totals), LEAD, tuple(parts))]


def summed(rows: pl.DataFrame, column: str) -> int:
    """The sum of a column of counts."""
    return int(single(rows, pl.col(column).sum()) or 0)


def heading(totals: pl.DataFrame) -> str:
    """How many accounts have bought."""
    rate = Rate.of(summed(totals, "converted"), summed(totals, "accounts"))
    return (
        f"{count(rate.part)} of {plural(rate.whole, 'account')} have "
        f"bought{f' ({rate.text})' if rate.says_enough else ': too few to say how many do'}"
    )


def people_figure(totals: pl.DataFrame) -> Figure:
    """Accounts by how many of their people are known."""
    rates = [(row, Rate.of(row["converted"], row["accounts"])) for row in totals.iter_rows(named=True)]
    enough = [pair for pair in rates if pair[1].says_enough]
    best = max(enough, key=lambda pair: (pair[1].value or 0, -pair[0]["people"]), default=None)
    deals = {column: summed(totals, column) for column in ("deals", "won_deals", "lost_deals", "open_deals")}
    return Figure(
        "account-people",
        f"Of accounts with {people(best[0]['people'])}, {best[1].text} have bought: {best[1].counts}"
        if best
        else "Too few accounts to say whether more people mean more conversions",
        f"Accounts by how many of their people are known, and how many have bought. They had "
        f"{plural(deals['deals'], 'deal')}: {count(deals['won_deals'])} won, "
        f"{count(deals['lost_deals'])} lost, {count(deals['open_deals'])} open.",
        rate_dots([(people(row["people"]), rate) for row, rate in rates]) if best else None,
        table(
            (
                *texts("People known"),
                *rate_columns("Bought", "Accounts"),
                *numbers("Median time to buy", "Deals", "Won", "Lost", "Open"),
            ),
            [
                cells(
                    people(row["people"]),
                    *rate_cells(rate),
                    "–"
                    if row["median_cycle_days"] is None
                    else until(row["median_cycle_days"])
                    if row["converted"] >= FEW
                    else "too few to say",
                    *(count(row[column]) for column in ("deals", "won_deals", "lost_deals", "open_deals")),
                )
                for row, rate in rates
            ],
        ),
        Query("account_totals"),
        is_open=best is None,
    )


def people(number: int) -> str:
    """A number of people in words."""
    return f"{number} {'person' if number == 1 else 'people'}{' or more' if number == MOST_PEOPLE else ''}"


def list_figure(accounts: pl.DataFrame, totals: pl.DataFrame) -> Figure:
    """The accounts of most people."""
    first = accounts.row(0, named=True) if accounts.height else None
    return Figure(
        "accounts",
        f"The largest account is {quoted(first['account_id'])} with {people(first['people'])}"
        if first
        else "No account is known",
        f"The {min(accounts.height, summed(totals, 'accounts'))} accounts of most people. Took part: people seen by the first conversion.",
        None,
        table(
            (
                *texts("Account"),
                *numbers("People", "Took part", "Conversions", "Time to buy", "Won", "Lost", "Open"),
                *texts("Last seen"),
            ),
            [
                cells(
                    Cell(name(row["account_id"])),
                    count(row["people"]),
                    count(row["people_before_first_conversion"]),
                    count(row["conversions"]),
                    "–" if row["cycle_days"] is None else until(row["cycle_days"]),
                    *(count(row[column]) for column in ("won_deals", "lost_deals", "open_deals")),
                    f"{row['last_seen_at']:%Y-%m-%d}" if row["last_seen_at"] else "–",
                )
                for row in accounts.iter_rows(named=True)
            ],
        ),
        Query("accounts"),
        rows=totals,
        is_open=True,
    )
