"""Comparisons of funnels: periods, segments, variants, trends; and the list of who stopped."""

from datetime import date
from typing import Any

import polars as pl
import pytest
from scipy.stats import chisquare

from tests.transforms.test_funnels import entrants, events, funnel, groups, moment, rows
from transforms.funnel_answer import funnel_answer
from transforms.funnel_comparison import (
    check_sample_ratio,
    compare_periods,
    compare_segments,
    difference,
    funnel_trend,
    judge_experiment,
    reach,
    units_of_several,
    worth,
)
from transforms.funnel_drop_offs import drop_offs
from transforms.journey import Funnel, Segment

DAY = 24 * 60


def segments(*names: str) -> list[Segment]:
    return [Segment(name=name) for name in names]


def crowd(converted: int, entered: int, *, at: float = 0, name: str = "u", color: str = "") -> list[dict[str, Any]]:
    """Customers who do A, so many of whom do B a minute later."""
    suffix = f":{color}" if color else ""
    return [
        row
        for number in range(entered)
        for row in rows(f"A{at}{suffix}" + (f" B{at + 1}" if number < converted else ""), f"{name}{number}")
    ]


def on_days(first: int, last: int, **changes: Any) -> Funnel:
    return funnel("AB", **{"from": date(2024, 1, first), "to": date(2024, 1, last), **changes})


# ---------------------------------------------------------------- two periods


def test_two_periods_differ_by_newcombes_interval_and_the_parts_of_the_steps_sum_to_the_change():
    frame = events(crowd(48, 80, at=0), crowd(56, 70, at=DAY, name="v"))
    was, now = on_days(1, 1), on_days(2, 2)

    told = compare_periods(
        entrants(frame, was), entrants(frame, now), before_funnel=was, funnel=now, horizon=moment(3 * DAY)
    )

    assert told["change"] == {
        "difference": 0.2,
        "low": pytest.approx(0.0524, abs=5e-5),
        "high": pytest.approx(0.3339, abs=5e-5),
    }
    assert [step["part"] for step in told["steps"]] == [0.0, 0.2]
    assert [(step["before"]["count"], step["after"]["count"]) for step in told["steps"]] == [(80, 70), (48, 56)]
    assert told["steps"][0]["total_rate_change"]["difference"] is None


def test_a_period_is_final_when_its_last_window_has_closed():
    frame, was, now = events(crowd(1, 2)), on_days(1, 1), on_days(2, 2)

    told = compare_periods(
        entrants(frame, was), entrants(frame, now), before_funnel=was, funnel=now, horizon=moment(2 * DAY)
    )

    assert (told["before"]["is_final"], told["after"]["is_final"]) == (True, False)


def test_a_period_without_entrants_is_zeros_without_rates():
    frame, was, now = events(crowd(1, 2)), on_days(1, 1), on_days(20, 20)

    told = compare_periods(
        entrants(frame, was), entrants(frame, now), before_funnel=was, funnel=now, horizon=moment(2 * DAY)
    )

    assert [step["after"]["count"] for step in told["steps"]] == [0, 0]
    assert told["steps"][1]["after"]["total_rate"] == {"n": 0, "d": 0, "rate": None}
    assert told["change"] == {"difference": None, "low": None, "high": None}


def test_repeats_of_a_customer_are_worth_less_than_customers():
    attempts = pl.DataFrame({"customer_id": list("aabbccdd"), "reached_1": [True] * 2 + [False] * 6})

    told = worth(attempts, 1)

    assert (told["reached"], told["entered"]) == (2, 8)
    assert told["worth"] == pytest.approx(0.25 * 0.75 * 64 * 3 / (4 * (1.5**2 + 3 * 0.5**2)))


def test_each_customer_once_is_worth_what_is_counted():
    asked = funnel("AB")
    attempts = reach(entrants(events(crowd(3, 10)), asked), asked)

    assert worth(attempts, 2) == {"reached": 3, "entered": 10, "worth_reached": 3.0, "worth": 10.0}
    assert difference(attempts, attempts, 2, of=1)["difference"] == 0.0


# ---------------------------------------------------------------- segments


def test_segments_are_held_against_who_is_not_in_them_and_may_overlap():
    frame, asked = events(crowd(40, 50), crowd(10, 50, name="v")), funnel("AB")
    members = pl.DataFrame(
        {
            "segment": ["good"] * 50 + ["some"] * 60,
            "customer_id": [f"u{number}" for number in range(50)] * 2 + [f"v{number}" for number in range(10)],
        }
    )

    good, some = compare_segments(
        entrants(frame, asked), members, segments("good", "some"), asked, in_segments=members, horizon=moment(DAY)
    )

    assert (good["total_rate"]["n"], good["total_rate"]["d"], good["rest_rate"]["n"], good["rest_rate"]["d"]) == (
        40,
        50,
        10,
        50,
    )
    assert good["stands_out"]
    assert some["total_rate"]["d"] == 60
    assert [step["count"] for step in good["steps"]] == [50, 40]


def test_a_segment_without_entrants_is_zeros():
    asked = funnel("AB")
    nobody = pl.DataFrame(schema={"segment": pl.String, "customer_id": pl.String})

    (told,) = compare_segments(
        entrants(events(crowd(1, 2)), asked), nobody, segments("none"), asked, in_segments=nobody, horizon=None
    )

    assert [step["count"] for step in told["steps"]] == [0, 0]
    assert (told["difference"], told["p_value"]) == (None, None)


def test_a_segment_as_of_entry_splits_attempts_not_customers():
    asked = funnel("AB", attempt="all", window="30m")
    found = entrants(events(rows("A0 B1 A100", "ann"), rows("A0", "bob")), asked)
    of_ann = found.filter((pl.col("customer_id") == "ann") & (pl.col("entered_at") == moment(100)))
    at_entry = of_ann.select("customer_id", "entry_source", "entry_event_id", segment=pl.lit("back"))
    back = Segment(name="back", as_of="entry")

    (told,) = compare_segments(
        found, at_entry.select("segment", "customer_id"), [back], asked, in_segments=at_entry, horizon=moment(DAY)
    )

    assert (told["as_of"], told["total_rate"]["n"], told["total_rate"]["d"]) == ("entry", 0, 1)
    assert (told["rest_rate"]["n"], told["rest_rate"]["d"]) == (1, 2)


# ---------------------------------------------------------------- experiments


@pytest.mark.parametrize("counts", [(500, 500), (520, 480), (700, 300), (10, 0)])
def test_the_sample_ratio_agrees_with_scipys_chi_square(counts: tuple[int, int]):
    told = check_sample_ratio({"a": counts[0], "b": counts[1]}, {"a": 60, "b": 40})

    expected = chisquare(counts, [sum(counts) * 0.6, sum(counts) * 0.4])
    assert told["chi_square"] == pytest.approx(expected.statistic, abs=1e-6)
    assert told["p_value"] == pytest.approx(expected.pvalue, abs=1e-6)
    assert told["is_mismatch"] == (expected.pvalue < 0.01)


def experiment(frame: pl.LazyFrame, shares: dict[str, float]) -> dict[str, Any]:
    asked = funnel("AB", breakdowns=["color"])
    found = groups(frame, asked)
    return judge_experiment(found, entrants(frame, asked), asked, shares=shares, control="old", horizon=moment(DAY))


def test_variants_are_held_against_the_control_and_a_mismatch_is_told():
    frame = events(
        crowd(30, 100, color="old"), crowd(60, 100, name="v", color="new"), crowd(31, 30, name="w", color="odd"), crowd(0, 5, name="x")
    )  # fmt: skip

    told = experiment(frame, {"old": 1.0, "new": 1.0, "odd": 1.0})

    old, new, odd = told["variants"]
    assert old["is_control"]
    assert "q_value" not in old
    assert (new["difference"], new["stands_out"]) == (0.3, True)
    assert odd["total_rate"]["d"] == 30
    assert (told["is_trustworthy"], told["without_variant"]) == (False, 5)


def test_shares_that_were_meant_are_no_mismatch():
    frame = events(crowd(9, 90, color="old"), crowd(1, 10, name="v", color="new"))

    assert experiment(frame, {"old": 90, "new": 10})["sample_ratio"]["p_value"] == 1.0
    assert not experiment(frame, {"old": 1, "new": 1})["is_trustworthy"]


def test_an_experiment_without_entrants_is_zeros():
    told = experiment(events(rows("B0")), {"old": 1, "new": 1})

    assert [variant["steps"][0]["count"] for variant in told["variants"]] == [0, 0]
    assert (told["sample_ratio"]["p_value"], told["is_trustworthy"]) == (None, True)


def test_units_seen_with_more_than_one_variant_are_told():
    frame = events(
        rows("A0:old B1:new", "ann"),
        rows("A0:old B1:old", "bob"),
        rows("A0:old B1", "cid"),
        rows("B0:old B1:new", "dan"),
    )
    asked = funnel("AB", breakdowns=["color"])

    assert units_of_several(frame, entrants(frame, asked), asked, horizon=moment(DAY)) == 1


def test_a_unit_that_enters_twice_is_one_unit_of_its_variant():
    frame = events(rows("A0:old A30:old B31", "ann"), rows("A0:new", "bob"))
    asked = funnel("AB", attempt="all", window="10m", breakdowns=["color"])
    found = groups(frame, asked)

    told = judge_experiment(
        found, entrants(frame, asked), asked, shares={"old": 1, "new": 1}, control="old", horizon=moment(DAY)
    )

    assert told["sample_ratio"]["units"] == {"old": 1, "new": 1}
    assert told["variants"][0]["steps"][0]["count"] == 2


# ---------------------------------------------------------------- a trend


def test_a_trend_counts_the_best_attempt_of_each_period_and_shows_empty_ones():
    again = rows(f"A{1 * DAY} A{2 * DAY} B{2 * DAY + 1} A{16 * DAY}", "ann")
    asked = funnel("AB", **{"from": date(2024, 1, 1), "to": date(2024, 1, 21)})

    weeks = funnel_trend(
        entrants(events(again), asked, moment(30 * DAY)), asked, every="week", horizon=moment(30 * DAY)
    )

    told = [(week["from"], week["to"], week["entrants"], week["conversion_rate"]["n"]) for week in weeks]
    assert told == [
        ("2024-01-01", "2024-01-07", 1, 1), ("2024-01-08", "2024-01-14", 0, 0), ("2024-01-15", "2024-01-21", 1, 0),
    ]  # fmt: skip
    assert all(week["is_mature"] for week in weeks)


def test_periods_whose_windows_still_run_are_immature():
    asked = funnel("AB", window="2d")
    frame = events(rows(f"A{1 * DAY}", "ann"), rows(f"A{4 * DAY}", "bob"))

    days = funnel_trend(entrants(frame, asked, moment(5 * DAY)), asked, every="day", horizon=moment(5 * DAY))

    assert [(day["from"][-2:], day["open"], day["is_mature"]) for day in days] == [
        ("02", 0, True), ("03", 0, True), ("04", 0, True), ("05", 1, False), ("06", 0, False),
    ]  # fmt: skip


def test_a_period_is_cut_to_the_range_and_months_are_the_calendars():
    asked = funnel("AB", **{"from": date(2024, 1, 30), "to": date(2024, 3, 2)})

    months = funnel_trend(entrants(events(rows("A0")), asked), asked, every="month", horizon=moment(90 * DAY))

    assert [(month["from"], month["to"]) for month in months] == [
        ("2024-01-30", "2024-01-31"), ("2024-02-01", "2024-02-29"), ("2024-03-01", "2024-03-02"),
    ]  # fmt: skip


def test_days_of_the_trend_are_the_best_attempts_of_each_day():
    asked = funnel("AB")
    frame = events(rows(f"A0 A{DAY} B{DAY + 1} A{DAY + 5}", "ann"), rows("A3 B4", "bob"))
    found = entrants(frame, asked, moment(9 * DAY))

    days = funnel_trend(found, asked, every="day", horizon=moment(3 * DAY))

    daily = found.filter("is_best_of_day").group_by("entry_day").len().sort("entry_day")["len"].to_list()
    assert [day["entrants"] for day in days][:2] == daily == [2, 1]


def test_nobody_has_no_trend():
    asked = funnel("AB")

    assert funnel_trend(entrants(events(rows("B0")), asked), asked, every="day", horizon=None) == []


# ---------------------------------------------------------------- who stopped


def listed(frame: pl.LazyFrame, asked: Funnel, step: int, horizon: float = 1000) -> pl.DataFrame:
    return drop_offs(frame, entrants(frame, asked, moment(horizon)), asked, step=step, horizon=moment(horizon))


def test_who_stopped_is_listed_with_what_came_instead_within_the_window():
    frame = events(rows("A0 B5 D6 E7 D8 F90", "ann"), rows("A0 B5 C6", "bob"), rows("A0 B1", "cid"))

    found = listed(frame, funnel("ABC"), 2)

    told = found.select(
        "unit_id", "dropped_at", "last_event", "last_event_at", "events_after", "first_after", "did_instead"
    )
    assert told.rows() == [
        ("cid", moment(1), "B", moment(1), 0, None, None),
        ("ann", moment(5), "D", moment(8), 3, "D", "D > E"),
    ]


@pytest.mark.parametrize(
    "asked", [funnel("ABC"), funnel("A(B)C"), funnel("ABC", order="any"), funnel("ABC", exclusions=[{"event": "X"}])]
)
def test_a_list_is_as_long_as_its_bar(asked: Funnel):
    texts = ["A0", "A0 B1", "A0 B1 C2", "A0 X1 B2", "A0 C1", "B3 X4 C5", "A0 B1 X2", "A70 B71"]
    frame = events(*(rows(text, f"u{number}") for number, text in enumerate(texts)))
    found = entrants(frame, asked, moment(100))

    steps = funnel_answer(found, groups(frame, asked), asked, horizon=moment(100), with_attempts=False)["steps"]

    for number, step in enumerate(steps, start=1):
        assert listed(frame, asked, number, 100).height == step["dropped"] + step["excluded"]


def test_who_may_still_go_on_has_not_stopped():
    assert listed(events("A0 B5"), funnel("ABC"), 2, horizon=30).is_empty()


def test_what_happened_at_the_same_instant_as_the_step_counts_as_after_it():
    assert listed(events("A0 D0"), funnel("AB"), 1)["did_instead"].to_list() == ["D"]
