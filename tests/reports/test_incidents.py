from datetime import date, timedelta

import polars as pl
import pytest

from reports.findings import told_incidents
from reports.incidents import incidents
from reports.view import View
from tests.reports.small_site import facts, full_tables, group_days, journey


def test_a_group_that_breaks_for_two_weeks_is_named_with_its_step_and_days():
    (found,) = incidents(group_days())

    assert (found.group, found.step, found.next_step) == ("mobile", "choose", "pay")
    assert (found.first, found.last) == (date(2026, 2, 2), date(2026, 2, 15))
    assert (found.difference.here.counts, found.difference.there.counts) == ("12 of 60", "168 of 240")
    assert found.customers == 30


def test_where_nothing_happens_nothing_is_found():
    assert incidents(group_days(broken=None)) == []


def test_what_happens_to_all_groups_is_not_put_down_to_one():
    days = group_days().with_columns(
        went_on=pl.when(pl.col("day").is_between(date(2026, 2, 2), date(2026, 2, 15))).then(6).otherwise("went_on")
    )

    assert incidents(days) == []


def of_everybody(days: pl.DataFrame) -> pl.DataFrame:
    """The same counts without the groups."""
    step = ["funnel", "step_number", "step_name", "next_name", "day"]
    nobody = pl.lit(None, pl.String)
    summed = days.group_by(step, maintain_order=True).agg(pl.col("came", "went_on").sum())
    return summed.with_columns(breakdown=nobody, value=nobody).select(days.columns)


def in_two_weeks(went_on: int) -> pl.Expr:
    return pl.when(pl.col("day").is_between(date(2026, 2, 2), date(2026, 2, 15))).then(went_on).otherwise("went_on")


def test_what_happens_to_all_groups_is_told_of_everybody():
    days = group_days(broken=None).with_columns(went_on=in_two_weeks(6))

    (found,) = incidents(pl.concat([days, of_everybody(days)]))

    assert (found.breakdown, found.group, found.others) == (None, None, None)
    assert (found.first, found.last) == (date(2026, 2, 2), date(2026, 2, 15))
    assert (found.difference.here.counts, found.difference.there.counts) == ("24 of 120", "336 of 480")


def test_what_happens_to_one_group_is_not_told_of_everybody_as_well():
    days = group_days()

    (found,) = incidents(pl.concat([days, of_everybody(days)]))

    assert found.group == "mobile"


def test_trouble_of_a_single_day_is_told_with_its_day():
    monday = date(2026, 1, 5)
    step = {"funnel": "checkout", "step_number": 2, "step_name": "choose", "next_name": "pay"}
    days = pl.DataFrame(
        [step | {"day": monday + timedelta(days=n), "came": 40, "went_on": 8 if n == 17 else 28} for n in range(60)]
    ).with_columns(breakdown=pl.lit(None, pl.String), value=pl.lit(None, pl.String))

    (found,) = incidents(days.select(group_days().columns))

    assert (found.first, found.last) == (date(2026, 1, 22), date(2026, 1, 22))


def test_a_rate_that_always_moves_has_to_move_by_more():
    restless = [10, 28, 12, 26, 9, 29, 13, 25, 11, 27]
    days = of_everybody(group_days(broken=None)).with_columns(
        came=pl.lit(400, pl.Int64), went_on=pl.Series([share * 10 for share in restless], dtype=pl.Int64)
    )

    assert incidents(days) == []


def test_the_times_around_an_incident_do_not_stand_out_because_of_it():
    days = group_days().with_columns(pl.col("came", "went_on") * 40)

    assert [(found.first, found.last) for found in incidents(days)] == [(date(2026, 2, 2), date(2026, 2, 15))]


def test_few_customers_are_never_an_incident():
    assert incidents(group_days().with_columns(pl.col("came", "went_on") // 10)) == []


def test_the_order_of_the_rows_does_not_matter():
    days = group_days()

    assert incidents(days.sample(fraction=1, shuffle=True, seed=3)) == incidents(days)


def test_one_trouble_seen_by_two_funnels_is_told_once():
    again = group_days("checkout steps").with_columns(pl.col("went_on") - 1)

    assert len(incidents(pl.concat([group_days(), again]))) == 1


@pytest.mark.parametrize("seed", range(5))
def test_chance_alone_is_no_incident(seed):
    days = group_days(broken=None)
    groups = pl.concat([days.with_columns(value=pl.lit(f"group {number}")) for number in range(5)])
    noise = pl.Series(
        [(index * 2_654_435_761 + seed * 97_531) % 9 - 4 for index in range(groups.height)], dtype=pl.Int64
    )

    assert incidents(groups.with_columns(went_on=pl.col("went_on") + noise)) == []


def test_the_finding_names_step_group_days_customers_and_interval():
    view = View(full_tables(), journey(), facts())

    (finding,) = told_incidents(view)

    assert finding.headline == (
        "From 2 Feb to 15 February 2026, fewer of “mobile” went on from “choose” to “pay”: 20.0% instead of 70.0%"
    )
    assert finding.evidence.startswith(
        "20.0% (12 of 60) against 70.0% (168 of 240); difference −59.8 to −36.7 points (95% interval)"
    )
    assert "about 30 customers fewer" in finding.evidence
