from datetime import date, timedelta

import polars as pl
import pytest

from reports.effects import periods
from reports.findings import findings
from reports.pages.changes import build
from reports.view import View, letters
from tests.reports.small_site import facts, full_tables, journey, rows
from transforms.journey import Change

NEW_PAGE = {"date": "2026-03-10", "name": "new page", "stage": "purchase"}


def newcomers(before: tuple[int, int], after: tuple[int, int]) -> pl.DataFrame:
    """Newcomers, and those who entered `purchase`, on the day before the change and on its day."""
    at = {date(2026, 3, 9): before, date(2026, 3, 10): after}
    return rows(
        "reports.change_newcomers",
        *(
            {"day": day, "stage": "purchase", "entered": entered, "newcomers": every}
            for day, (entered, every) in at.items()
        ),
    )


def row(slug: str, tables: dict[str, pl.DataFrame], *changes: dict[str, str]) -> list[str]:
    """The cells of the first row of a figure, with their smaller lines."""
    page = build(View(full_tables() | tables, journey(changes=changes), facts()))[0]
    figure = next(block for section in page.sections for block in section.blocks if block.slug == slug)
    return [" | ".join(part for part in (cell.text, cell.note) if part) for cell in figure.table.rows[0]]


def test_the_rates_before_and_after_stand_with_their_counts_and_newcombes_interval():
    # 56/70 against 48/80: Newcombe (1998), table II, example a: 0.0524 to 0.3339.
    assert row("change-stages", {"reports.change_newcomers": newcomers((48, 80), (56, 70))}, NEW_PAGE) == [
        "A: new page | 10 March 2026",
        "newcomers’ entry into “purchase”",
        "60.0% | 48 of 80",
        "80.0% | 56 of 70",
        "+20.0 points",
        "+5.2 to +33.4 points",
        "differs",
    ]


def test_a_clear_difference_is_a_finding_that_blames_nobody():
    tables = full_tables() | {"reports.change_newcomers": newcomers((48, 80), (56, 70))}

    found = [
        finding
        for finding in findings(View(tables, journey(changes=(NEW_PAGE,)), facts()))
        if finding.link == "changes.html"
    ]

    assert "After “new page”, newcomers’ entry into “purchase” rose from 60.0% to 80.0%" in [
        one.headline for one in found
    ]
    assert all("need not have been the change" in one.evidence for one in found)


def test_a_small_difference_is_no_clear_one():
    found = row("change-stages", {"reports.change_newcomers": newcomers((48, 80), (44, 70))}, NEW_PAGE)

    assert found[-1] == "no clear difference"


def test_after_a_change_of_yesterday_nothing_is_known():
    late = NEW_PAGE | {"date": "2026-03-20"}
    early = newcomers((48, 80), (56, 70)).filter(pl.col("day") == date(2026, 3, 9))

    found = row("change-stages", {"reports.change_newcomers": early}, late)

    assert (found[3], found[-1]) == ("– | 0 of 0", "not yet known")


def test_newcomers_whose_seven_days_still_run_are_not_counted():
    late = newcomers((48, 80), (56, 70)).with_columns(day=pl.col("day") + timedelta(days=15))
    table = pl.concat([newcomers((48, 80), (0, 0)), late])

    assert row("change-stages", {"reports.change_newcomers": table}, NEW_PAGE)[3] == "– | 0 of 0"


def test_the_day_of_the_change_belongs_to_the_days_after():
    before, after = periods(Change(date=date(2026, 3, 10), name="x"))

    assert (before.last, after.first) == (date(2026, 3, 9), date(2026, 3, 10))
    assert before.last - before.first == after.last - after.first == timedelta(days=27)


def test_the_funnels_of_a_change_count_matured_first_attempts():
    # Of the 40 who paid, 24 began before 10 March; 13 who stopped began after it, and 8 still have time.
    found = row("change-funnels", {}, {"date": "2026-03-10", "name": "new page"})

    assert found[1:4] == ["completion of “checkout”", "100.0% | 24 of 24", "55.2% | 16 of 29"]


def test_without_changes_there_is_no_page():
    assert build(View(full_tables(), journey(), facts())) == []


@pytest.mark.parametrize(
    ("number", "letter"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA")]
)
def test_changes_are_lettered_as_columns_are(number, letter):
    assert letters(number) == letter
