from datetime import timedelta

import polars as pl
import pytest

from reports.funnel_counts import FunnelCounts, count_funnel
from tests.reports.small_site import entrant, journey, tables_of


def counted(entrants, groups=None, **definition) -> FunnelCounts:
    tables = tables_of(entrants, groups or {})
    declared = tables["core.funnel_definitions"].with_columns(
        **{name: pl.lit(value) for name, value in definition.items()}
    )
    return count_funnel(
        tables | {"core.funnel_definitions": declared}, "checkout", definition=journey().funnels[0], file="x.html"
    )


def worked_example():
    """semantics.md §9: 10 entrants on day 0 converting at 1, 2, 9, 12 d, 10 on day 11 converting at 1, 2 d; horizon day 14."""
    early = [entrant(number, days_ago=14, hours=(1.0, day * 24.0)) for number, day in enumerate((1, 2, 9, 12))]
    late = [entrant(10 + number, days_ago=3, hours=(1.0, day * 24.0)) for number, day in enumerate((1, 2))]
    early += [entrant(20 + number, days_ago=14, hours=(1.0,)) for number in range(6)]
    late += [entrant(30 + number, days_ago=3, hours=(1.0,)) for number in range(8)]
    window = timedelta(days=14)
    return [one | {"closes_at": one["entered_at"] + window} for one in early + late]


def test_matured_so_far_and_projected_are_kept_apart():
    funnel = counted(worked_example(), window_seconds=14 * 86_400)

    assert (funnel.matured.part, funnel.matured.whole) == (4, 10)
    assert (funnel.so_far.part, funnel.so_far.whole) == (6, 20)
    assert funnel.arrivals.projected.value == pytest.approx(0.4)
    assert funnel.arrivals.projected.high - funnel.arrivals.projected.value == pytest.approx(0.14 * 1.96, abs=0.001)


def test_the_curve_ends_at_the_projection():
    funnel = counted(worked_example(), window_seconds=14 * 86_400)

    assert funnel.arrivals.curve.row(0, named=True)["share"] == 0
    assert funnel.arrivals.curve.row(-1, named=True)["share"] == pytest.approx(0.4)
    assert funnel.arrivals.moments.row(-1, named=True)["seconds"] == 14 * 86_400


def test_the_median_counts_those_who_never_convert():
    entrants = [entrant(number, days_ago=10, hours=(1.0, 2.0)) for number in range(6)]
    entrants += [entrant(10 + number, days_ago=10, hours=()) for number in range(4)]

    funnel = counted(entrants)

    assert funnel.arrivals.quartiles == (7_200.0, 7_200.0, None)


def test_a_leg_is_counted_from_the_step_before():
    entrants = [entrant(number, days_ago=10, hours=(1.0, 4.0)) for number in range(3)]
    entrants += [
        entrant(10, days_ago=10, hours=(1.0,)),
        entrant(11, days_ago=2, hours=(1.0,)),
        entrant(12, days_ago=10, hours=()),
    ]

    second = counted(entrants).legs.row(1, named=True)

    assert (second["went_on"], second["reached"]) == (3, 5)
    assert (second["matured_went_on"], second["matured_reached"]) == (3, 4)
    assert second["median_seconds"] == 3 * 3_600


def test_without_a_window_nothing_is_matured_or_projected():
    entrants = [
        entrant(1, days_ago=400, hours=(1.0, 2.0)) | {"closes_at": None},
        entrant(2, days_ago=5, hours=()) | {"closes_at": None},
    ]

    funnel = counted(entrants, window_seconds=None)

    assert funnel.matured.whole == 0
    assert funnel.arrivals.projected is None
    assert (funnel.so_far.part, funnel.so_far.whole) == (1, 2)


def test_groups_are_compared_with_the_rest():
    groups = {"Email": (400, 200), "Direct": (400, 100), "Ads": (5, 0)}

    rows_ = counted([entrant(1, days_ago=10, hours=())], groups).groups[0].rows

    assert rows_["value"].to_list() == ["Direct", "Email", "Ads"]
    assert rows_["stands_out"].to_list() == [True, True, False]


@pytest.mark.parametrize("definition", [{"unit": "session"}, {"attempt": "all"}])
def test_where_customers_repeat_nothing_is_tested_and_no_plain_interval_is_given(definition):
    funnel = counted(
        [entrant(1, days_ago=10, hours=(1.0, 2.0))], {"Email": (400, 200), "Direct": (400, 100)}, **definition
    )

    assert funnel.groups[0].rows["stands_out"].to_list() == [None, None]
    assert funnel.so_far.low is None
    assert funnel.arrivals.projected.low is None


def test_only_first_attempts_are_watched():
    later = entrant(1, days_ago=9, hours=(1.0, 2.0)) | {"is_first": False}

    funnel = counted([entrant(1, days_ago=10, hours=()) | {"is_best": False}, later])

    assert (funnel.so_far.part, funnel.so_far.whole) == (0, 1)


def test_a_funnel_in_any_order_has_no_legs():
    assert counted([entrant(1, days_ago=10, hours=(1.0,))], step_order="any").legs.is_empty()


def test_an_optional_last_step_does_not_delay_the_conversion():
    tables = tables_of([entrant(1, days_ago=10, hours=(1.0, 5.0))], {})
    last = pl.col("step_number") == 3
    optional = {
        name: tables[name].with_columns(is_optional=last) for name in ("core.funnel_definitions", "mart.funnel_steps")
    }

    funnel = count_funnel(tables | optional, "checkout", definition=None, file="x.html")

    assert funnel.arrivals.quartiles[1] == 3_600
    assert funnel.completed.part == 1


def test_a_funnel_that_nobody_entered_is_counted_as_nothing():
    funnel = counted([])

    assert funnel.entered == 0
    assert funnel.arrivals.quartiles == (None, None, None)
    assert funnel.legs.is_empty()


def test_a_session_that_ended_is_no_longer_expected_to_convert():
    ended = [entrant(number, days_ago=1, hours=()) for number in range(3)]
    entrants = [one | {"closes_at": one["entered_at"] + timedelta(minutes=40), "status": "dropped"} for one in ended]
    entrants += [entrant(10, days_ago=1, hours=(1.0, 2.0))]

    funnel = counted(entrants, unit="session")

    assert funnel.arrivals.projected.value == pytest.approx(0.25)


def test_those_who_wait_at_an_optional_step_could_still_go_on():
    entrants = [entrant(number, days_ago=10, hours=()) for number in range(3)]
    entrants += [entrant(10 + number, days_ago=2, hours=(1.0,)) for number in range(2)]
    tables = tables_of([*entrants, entrant(20, days_ago=10, hours=(1.0, 2.0))], {})
    optional = {
        name: tables[name].with_columns(is_optional=pl.col("step_number") == 2)
        for name in ("core.funnel_definitions", "mart.funnel_steps")
    }

    losses = count_funnel(tables | optional, "checkout", definition=None, file="x.html").losses

    assert losses.select("before", "after", "came", "stopped", "still_open").rows() == [("look", "pay", 6, 3, 2)]
