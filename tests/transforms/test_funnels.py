"""Funnels: the traps of semantics.md §8, one by one, and what is stored and said of attempts."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from transforms.contracts import CORE_EVENTS, CORE_FUNNEL_DEFINITIONS, MART_FUNNEL_ENTRANT_GROUPS, MART_FUNNEL_ENTRANTS
from transforms.funnels import (
    columns_needed,
    funnel_answer,
    funnel_definitions,
    funnel_entrant_groups,
    funnel_entrants,
)
from transforms.journey import Funnel, Journey

ZERO = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = {
    "customer_id": pl.String, "session_id": pl.String, "account_id": pl.String, "event": pl.String,
    "occurred_at": pl.Datetime("us", "UTC"), "seq": pl.Int64, "source": pl.String, "event_id": pl.String,
    "is_counted": pl.Boolean, "stage": pl.String, "is_stage_entry": pl.Boolean, "properties": pl.String,
}  # fmt: skip
X_BETWEEN = [{"event": "X"}]


def moment(minutes: float) -> datetime:
    return ZERO + timedelta(minutes=minutes)


LATE = moment(10_000)


def rows(text: str, customer: str = "ann") -> list[dict[str, Any]]:
    """Events written as letter and minute, such as "A0 B5"; a property as "A0:red"."""
    found = []
    for number, word in enumerate(text.split()):
        token, _, color = word.partition(":")
        properties = json.dumps({"color": color}) if color else None
        found.append(
            {"customer_id": customer, "event": token[0], "occurred_at": moment(float(token[1:])), "source": "web",
             "event_id": f"{customer}-{token[0]}{number}", "properties": properties}
        )  # fmt: skip
    return found


def events(*given: str | list[dict[str, Any]]) -> pl.LazyFrame:
    found = [row for part in given for row in (rows(part) if isinstance(part, str) else part)]
    return pl.LazyFrame(found, schema=SCHEMA)


def funnel(steps: str, **changes: Any) -> Funnel:
    """Steps as letters; an optional one in brackets, such as "A(B)C"."""
    entries: list[dict[str, Any]] = []
    for place, letter in enumerate(steps):
        if letter.isalpha():
            entries.append({"event": letter, "optional": steps[place - 1 : place] == "("})
    return Funnel.model_validate({"name": "walk", "steps": entries, "window": "60m", **changes})


def entrants(frame: pl.LazyFrame, asked: Funnel, horizon: datetime | None = LATE) -> pl.DataFrame:
    return MART_FUNNEL_ENTRANTS.check(funnel_entrants(frame, asked, horizon=horizon).collect())


def groups(frame: pl.LazyFrame, asked: Funnel, horizon: datetime | None = LATE) -> pl.DataFrame:
    known = entrants(frame, asked, horizon)
    return MART_FUNNEL_ENTRANT_GROUPS.check(
        funnel_entrant_groups(frame, known.lazy(), asked, horizon=horizon).collect()
    )


def answer(frame: pl.LazyFrame, asked: Funnel, horizon: datetime | None = LATE) -> dict[str, Any]:
    return funnel_answer(
        entrants(frame, asked, horizon), groups(frame, asked, horizon), asked, horizon=horizon, with_attempts=True
    )


def best(frame: pl.LazyFrame, asked: Funnel, horizon: datetime | None = LATE) -> dict[str, Any]:
    return entrants(frame, asked, horizon).filter("is_best").row(0, named=True)


def counts(frame: pl.LazyFrame, asked: Funnel, horizon: datetime | None = LATE) -> list[int]:
    return [step["count"] for step in answer(frame, asked, horizon)["steps"]]


def minutes(row: dict[str, Any]) -> list[float | None]:
    return [None if instant is None else (instant - ZERO).total_seconds() / 60 for instant in row["step_times"]]


# ---------------------------------------------------------------- the table of traps


def test_the_best_attempt_is_found_beyond_the_first_matches():
    assert minutes(best(events("A0 A30 B45 C75"), funnel("ABC"))) == [30, 45, 75]


def test_of_equally_deep_attempts_the_earliest_entry_is_the_best():
    assert minutes(best(events("A0 A5 B10"), funnel("AB"))) == [0, 10]


def test_the_window_runs_from_step_1_and_never_restarts():
    assert best(events("A0 B50 C100"), funnel("ABC"))["depth"] == 2


def test_the_end_of_the_window_is_inside():
    assert best(events("A0 B60"), funnel("AB"))["depth"] == 2


def test_a_microsecond_after_the_window_is_outside():
    assert (
        best(events("A0", [{**rows("B60")[0], "occurred_at": moment(60) + timedelta(microseconds=1)}]), funnel("AB"))[
            "depth"
        ]
        == 1
    )


@pytest.mark.parametrize(
    ("text", "steps", "depth"), [("A0", "AA", 1), ("A0 B5", "ABB", 2), ("F0 P10 P10 P20", "FPP", 3)]
)
def test_an_event_serves_at_most_one_step(text: str, steps: str, depth: int):
    assert best(events(text), funnel(steps))["depth"] == depth


def test_an_event_may_serve_several_steps_when_asked():
    assert best(events("A0"), funnel("AA", event_reuse=True))["depth"] == 2


@pytest.mark.parametrize("text", ["A10 B10", "B10 A10"])
def test_events_of_one_instant_may_serve_steps_in_any_row_order(text: str):
    assert best(events(text), funnel("AB"))["depth"] == 2
    assert best(events(text), funnel("AB", ties="increasing"))["depth"] == 1


@pytest.mark.parametrize("text", ["A1 A2 B2", "A1 B2 A2", "B2 A1 A2", "B2 A2 A1"])
def test_in_strict_order_an_event_of_the_same_instant_does_not_stand_between(text: str):
    assert best(events(text), funnel("AB", order="strict"))["depth"] == 2


def test_in_strict_order_any_other_event_breaks_the_chain():
    assert best(events("A0 N1 B2"), funnel("AB", order="strict"))["depth"] == 1


def test_an_entry_that_shares_an_instant_with_the_next_step_is_used_well():
    assert minutes(best(events("A0 A4 B4"), funnel("AAB", window="7m"))) == [0, 4, 4]


def test_an_exclusion_kills_the_attempt_and_keeps_the_entrant():
    frame, asked = events("A0 X5 B15"), funnel("AB", exclusions=X_BETWEEN)

    assert counts(frame, asked) == [1, 0]
    assert best(frame, asked)["status"] == "excluded"


def test_an_attempt_after_an_excluded_one_may_convert():
    assert counts(events("A0 X5 A10 B15"), funnel("AB", exclusions=X_BETWEEN)) == [1, 1]


def test_a_later_event_of_a_step_may_pass_the_exclusion():
    row = best(events("A0 B5 X7 B10 C12"), funnel("ABC", exclusions=[{"event": "X", "from": 2, "to": 3}]))

    assert minutes(row) == [0, 10, 12]


def test_an_optional_step_may_be_skipped():
    assert minutes(best(events("A0 B3 A7 C19"), funnel("A(B)C", window="14m"))) == [7, None, 19]


def test_legs_come_from_one_chain():
    steps = answer(events("A1 B2 C3 A4 B5 D6"), funnel("ABCD"))["steps"]

    assert [step["mean_seconds_of_converters"] for step in steps] == [None, 60, 60, 180]


JULY = {"from": "2024-07-01", "to": "2024-07-31", "window": "14d"}


def on(day: str, event: str) -> dict[str, Any]:
    return {**rows(f"{event}0")[0], "event_id": event + day, "occurred_at": datetime.fromisoformat(day + "T12:00:00Z")}


def test_a_step_after_the_range_counts_for_an_entry_in_it():
    frame, horizon = events([on("2024-07-25", "A"), on("2024-08-03", "B")]), datetime(2024, 9, 1, tzinfo=UTC)

    assert counts(frame, funnel("AB", **JULY), horizon) == [1, 1]
    assert counts(frame, funnel("AB", **JULY, range="all"), horizon) == [1, 0]


def test_an_entry_before_the_range_is_none():
    frame = events([on("2024-06-28", "A"), on("2024-07-02", "B")])

    assert counts(frame, funnel("AB", **JULY), datetime(2024, 9, 1, tzinfo=UTC)) == [0, 0]


def test_a_bare_date_is_that_whole_local_day_and_an_instant_is_half_open():
    midnight = events([{**on("2024-07-31", "A"), "occurred_at": datetime(2024, 7, 31, 21, 59, tzinfo=UTC)}])
    berlin = {"time_zone": "Europe/Berlin", "window": "14d"}

    assert counts(midnight, funnel("AB", **{**JULY, **berlin}), ZERO.replace(year=2025)) == [1, 0]
    assert counts(midnight, funnel("AB", **berlin, to="2024-07-31T21:59:00Z"), ZERO.replace(year=2025)) == [0, 0]


def test_a_window_is_elapsed_time_across_a_clock_change():
    frame = events([on("2024-03-20", "A"), on("2024-04-03", "B")]).with_columns(
        pl.col("occurred_at").dt.offset_by("-1h")
    )

    assert counts(frame, funnel("AB", window="14d", time_zone="Europe/Berlin"), ZERO.replace(year=2025)) == [1, 1]


def test_events_of_one_customer_form_one_chain_whatever_browser_they_came_from():
    assert counts(events("A0", rows("B5")), funnel("AB")) == [1, 1]


def test_counting_all_attempts_begins_the_next_after_the_one_before():
    assert counts(events("A0 A30 B45 C75"), funnel("ABC", attempt="all")) == [1, 1, 0]
    assert counts(events("A0 A1 B2 A3 B4"), funnel("AB", attempt="all")) == [2, 2]
    assert counts(events("A0 A60.5 B61"), funnel("AB", attempt="all")) == [2, 1]


def test_after_a_kill_the_next_attempt_begins_at_the_excluded_event():
    assert counts(events("A0 A3 X5 A5 B6"), funnel("AB", attempt="all", exclusions=X_BETWEEN)) == [2, 1]


# ---------------------------------------------------------------- switches beyond the table


def test_within_runs_from_the_step_before():
    asked = Funnel.model_validate(
        {"name": "walk", "steps": [{"event": "A"}, {"event": "B"}, {"event": "C", "within": "5m"}], "window": "none"}
    )

    assert minutes(best(events("A0 B1 B10 C12"), asked)) == [0, 10, 12]
    assert best(events("A0 B1 C12"), asked)["depth"] == 2


def test_any_order_counts_distinct_steps_from_the_earliest():
    asked = funnel("ABC", order="any")

    assert counts(events("C0 A50 B55"), asked) == [1, 1, 1]
    assert counts(events("C0 A70 B75"), asked) == [1, 1, 0]


def test_a_held_property_joins_only_events_of_one_value():
    asked = funnel("AB", hold_constant=["color"])

    assert best(events("A0:red B5:blue"), asked)["depth"] == 1
    assert minutes(best(events("A0:red A1:blue B5:blue"), asked)) == [1, 5]
    assert entrants(events("A0 B5"), asked).is_empty()


@pytest.mark.parametrize(("first_time", "entered"), [("event", 0), ("event_with_filters", 1)])
def test_a_first_time_is_of_the_event_or_of_the_event_with_its_filters(first_time: str, entered: int):
    step = {"event": "A", "where": {"color": "red"}, "first_time": first_time}
    asked = Funnel.model_validate({"name": "walk", "steps": [step, {"event": "B"}], "from": "2024-01-01"})

    assert counts(events("A0:blue A1:red B2"), asked) == [entered, entered]


def test_a_first_time_before_the_range_is_not_a_first_time_in_it():
    asked = Funnel.model_validate({"name": "walk", "steps": [{"event": "A", "first_time": "event"}], "from": moment(5)})

    assert counts(events("A0 A10"), asked) == [0]


def test_exclusion_drop_takes_the_unit_away_unless_a_clean_attempt_is_as_deep():
    drop = {"exclusions": X_BETWEEN, "exclusion": "drop"}

    assert counts(events("A0 X5 B15"), funnel("AB", **drop)) == [0, 0]
    assert counts(events("A0 X5 A10 B15"), funnel("AB", **drop)) == [1, 1]


def test_a_stage_step_is_any_event_of_the_stage_or_only_the_entry():
    stages = [{**row, "stage": "buy", "is_stage_entry": row["event"] == "A"} for row in rows("A0 B5")]
    asked = {"name": "walk", "steps": [{"stage": "buy"}, {"stage": "buy", "enter": True}]}

    assert counts(events(stages), Funnel.model_validate({**asked, "steps": [{"stage": "buy"}] * 2})) == [1, 1]
    assert counts(events(stages), Funnel.model_validate(asked)) == [1, 0]


def test_uncounted_events_events_without_a_unit_and_late_ones_are_left_out():
    robot = [{**rows("A0", "bot")[0], "is_counted": False}]
    nobody = [{**rows("A0")[0], "customer_id": None}]

    assert counts(events("A0 B5", robot, nobody), funnel("AB"), horizon=moment(4)) == [1, 0]


def test_the_unit_may_be_a_session_or_an_account():
    sessions = [{**row, "session_id": session} for row, session in zip(rows("A0 B5"), "xy", strict=True)]
    accounts = [{**row, "account_id": "acme"} for row in [*rows("A0"), *rows("B5", "bob")]]

    assert counts(events(sessions), funnel("AB", unit="session")) == [1, 0]
    assert entrants(events(accounts), funnel("AB", unit="account")).select("unit_id", "depth").row(0) == ("acme", 2)


# ---------------------------------------------------------------- status


def test_a_window_that_still_runs_is_open_and_one_that_ends_at_the_horizon_is_closed():
    assert best(events("A0"), funnel("AB"), moment(59))["status"] == "open"
    assert best(events("A0"), funnel("AB"), moment(60))["status"] == "dropped"


def test_a_unit_is_open_while_any_of_its_attempts_may_go_on():
    rows_of_unit = entrants(events("A0 B5 A50"), funnel("ABC"), moment(70))

    assert rows_of_unit.filter("is_best")["status"].to_list() == ["open"]
    assert best(events("A0 B5 A50"), funnel("ABC", attempt="first"), moment(70))["status"] == "dropped"


def test_a_session_closes_with_its_timeout():
    frame = events([{**rows("A0")[0], "session_id": "s"}])
    asked = funnel("AB", unit="session", window="none")

    assert best(frame, asked, moment(29))["status"] == "open"
    assert best(frame, asked, moment(30))["status"] == "dropped"


def test_a_range_over_all_events_closes_windows_at_its_end():
    asked = funnel("AB", range="all", to=moment(20))

    assert best(events("A0"), asked, moment(19))["status"] == "open"
    assert best(events("A0"), asked, moment(20))["status"] == "dropped"


def test_without_a_horizon_no_window_is_closed():
    assert best(events("A0"), funnel("AB"), None)["status"] == "open"


# ---------------------------------------------------------------- what is stored


def test_each_entry_day_keeps_its_first_and_best_attempt():
    frame = events("A0 A1440 B1445 A1450 B1455 C1456")

    kept = entrants(frame, funnel("ABC"))

    flags = kept.select("entry_day", "depth", "is_first", "is_best", "is_first_of_day", "is_best_of_day").rows()
    assert flags == [
        (date(2024, 1, 1), 1, True, False, True, True),
        (date(2024, 1, 2), 3, False, True, True, True),
    ]


def test_entry_days_are_days_of_the_time_zone():
    assert entrants(events("A0"), funnel("AB", time_zone="America/New_York"))["entry_day"].to_list() == [
        date(2023, 12, 31)
    ]


def test_the_first_attempt_follows_the_total_order_and_the_best_the_event_key():
    tied = [{**rows("A0")[0], "event_id": name, "seq": seq} for name, seq in (("x", 2), ("y", 1))]

    kept = entrants(events(tied), funnel("AB"))

    assert kept.filter("is_first")["entry_event_id"].to_list() == ["y"]
    assert kept.filter("is_best")["entry_event_id"].to_list() == ["x"]


def test_a_chain_names_its_events():
    row = best(events("A0 B5"), funnel("ABC"))

    assert row["step_event_ids"] == ["ann-A0", "ann-B1", None]
    assert row["step_sources"] == ["web", "web", None]


def test_no_events_give_an_empty_table_and_an_answer_of_zeros():
    said = answer(events(), funnel("AB", breakdowns=["color"]))

    assert [step["count"] for step in said["steps"]] == [0, 0]
    assert said["steps"][1]["step_rate"] == {"n": 0, "d": 0, "rate": None}
    assert (said["attempts"], said["groups"]) == ([], [])


def test_the_definitions_say_each_step_and_can_be_read_again():
    asked = funnel("A(B)C", window="1.5h")

    table = CORE_FUNNEL_DEFINITIONS.check(funnel_definitions([asked], horizons={"walk": ZERO}))

    assert table.select("step_number", "step_name", "is_optional", "window_seconds").rows() == [
        (1, "A", False, 5400), (2, "B", True, 5400), (3, "C", False, 5400),
    ]  # fmt: skip
    assert table["horizon"].to_list() == [ZERO] * 3
    assert Funnel.model_validate_json(table["definition"][0]) == asked


def test_the_columns_needed_are_those_that_are_named():
    asked = Funnel.model_validate(
        {"name": "walk", "unit": "session", "steps": [{"stage": "buy", "enter": True}, {"event": "A", "where": {"path": "/x"}}],
         "breakdowns": ["plan", "account.size"]}
    )  # fmt: skip

    needed = columns_needed(asked)

    assert needed >= {"session_id", "stage", "is_stage_entry", "path", "properties", "account_id"}
    assert needed <= set(CORE_EVENTS.schema)


# ---------------------------------------------------------------- groups


def by_value(said: dict[str, Any]) -> dict[str, list[int]]:
    return {"|".join(group["values"]): [step["count"] for step in group["steps"]] for group in said["groups"]}


def broken_down(text: str, as_of: Any, **changes: Any) -> dict[str, list[int]]:
    asked = funnel("AB", breakdowns=[{"by": ["color"], "as_of": as_of}], **changes)
    return by_value(answer(events(text), asked))


def test_a_value_as_of_entry_is_that_of_the_step_1_event():
    assert broken_down("A0:red B5:blue", "entry") == {"red": [1, 1]}
    assert broken_down("A0 B5:blue", "entry") == {"(not known)": [1, 1]}


def test_first_and_last_touch_are_the_first_and_last_matched_event_with_a_value():
    assert broken_down("N0:pink A1 A2:red B5:blue N6:pink", "first_touch") == {"red": [1, 1]}
    assert broken_down("N0:pink A1 A2:red B5:blue N6:pink", "last_touch") == {"blue": [1, 1]}


def test_at_a_step_a_unit_counts_once_per_value_that_reaches_it():
    assert broken_down("A0:red B5:blue B6:green", {"step": 2}) == {"blue": [1, 1], "green": [1, 1]}
    assert broken_down("A0:red B100:blue", {"step": 2}) == {}


def test_of_all_events_only_those_of_one_value_exist():
    assert broken_down("A0:red A1:blue B5:red", "all_events") == {"blue": [1, 0], "red": [1, 1]}


def test_several_properties_give_values_one_by_one():
    asked = funnel("AB", breakdowns=[{"by": ["color", "size"]}])

    said = answer(events("A0:red"), asked)

    assert [group["values"] for group in said["groups"]] == [["red", "(not known)"]]
    assert groups(events("A0:red"), asked)["value"].to_list() == ["red | (not known)"]


def test_a_customer_property_is_taken_as_last_set_before_the_entry():
    asked = funnel("AB", breakdowns=["customer.color"])

    said = answer(events("N0:red N1:blue A2 B3 N4:green"), asked)

    assert by_value(said) == {"blue": [1, 1]}


def test_two_ways_to_read_one_property_are_told_apart():
    asked = funnel("AB", breakdowns=["color", {"by": ["color"], "as_of": {"step": 2}}])

    assert groups(events("A0:red B5:blue"), asked).select("breakdown", "value").rows() == [
        ("color", "red"), ("color (step 2)", "blue"),
    ]  # fmt: skip


# ---------------------------------------------------------------- what is said


def test_rates_carry_their_counts_and_skip_optional_steps():
    steps = answer(events("A0 B1 C2", rows("A0 C5", "bob"), rows("A0", "cid")), funnel("A(B)C"))["steps"]

    assert [step["step_rate"]["n"] for step in steps] == [3, 1, 2]
    assert [step["step_rate"]["d"] for step in steps] == [3, 3, 3]
    assert steps[2]["total_rate"] == {"n": 2, "d": 3, "rate": 2 / 3}


def test_those_who_stop_at_a_step_are_dropped_open_or_excluded():
    frame = events("A0 B5 C10", rows("A0", "bob"), rows("A50", "cid"), rows("A0 X1", "dan"), rows("A0 B1", "eve"))

    steps = answer(frame, funnel("ABC", exclusions=X_BETWEEN), moment(70))["steps"]

    assert [(step["count"], step["dropped"], step["open"], step["excluded"]) for step in steps] == [
        (5, 1, 1, 1), (2, 1, 0, 0), (1, 0, 0, 0),
    ]  # fmt: skip


def test_the_median_comes_from_the_curve_and_that_of_converters_says_so():
    frame = events("A0 B1", rows("A0 B3", "bob"), rows("A0", "cid"), rows("A0", "dan"))

    second = answer(frame, funnel("AB"))["steps"][1]

    assert second["median_seconds"] == 180
    assert second["median_seconds_of_converters"] == 120
    assert (
        answer(events("A0 B1", rows("A0", "bob"), rows("A0", "cid")), funnel("AB"))["steps"][1]["median_seconds"]
        is None
    )


def test_attempts_are_listed_with_their_instants():
    assert answer(events("A0 B1.5"), funnel("ABC"), moment(30))["attempts"] == [
        {"unit_id": "ann", "entry": "2024-01-01T00:00:00Z", "steps": ["2024-01-01T00:00:00Z", "2024-01-01T00:01:30Z", None],
         "depth": 2, "status": "open", "is_first": True, "is_best": True}
    ]  # fmt: skip


# ---------------------------------------------------------------- the configuration


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"exclusions": [{"event": "X", "from": 2, "to": 3}]}, "mandatory steps"),
        ({"exclusions": [{"event": "X", "from": 3, "to": 2}]}, "from an earlier to a later"),
        ({"breakdowns": ["color", "color"]}, "asked for twice"),
        ({"from": "2024-02-01", "to": "2024-01-01"}, "lies after"),
    ],
)
def test_an_impossible_funnel_is_refused_by_name(changes: dict[str, Any], problem: str):
    with pytest.raises(ValidationError, match=problem):
        funnel("A(B)C", **changes)


def test_a_step_by_an_alias_means_the_journeys_own_stage():
    journey = Journey.model_validate(
        {"stages": [{"name": "purchase"}], "funnels": [{"name": "walk", "steps": [{"stage": "decision"}]}]}
    )

    assert journey.funnels[0].steps[0].stage == "purchase"


def test_groups_of_several_breakdowns_are_in_order_whatever_order_entrants_and_breakdowns_come_in():
    frame = events(*(rows(f"A0:{color} A1500:green B{20 + place}:blue", name) for place, (name, color) in enumerate(
        (("cas", "red"), ("ann", "blue"), ("bob", "red"))
    )))  # fmt: skip
    by: list[Any] = [
        "event",
        "color",
        {"by": ["color"], "as_of": {"step": 2}},
        {"by": ["color"], "as_of": "last_touch"},
    ]
    asked, turned = (funnel("AB", breakdowns=order) for order in (by, by[::-1]))
    mixed = entrants(frame, asked).sample(fraction=1, shuffle=True, seed=3).lazy()

    found = groups(frame, asked)

    key = ["breakdown", "unit_id", "entered_at", "entry_source", "entry_event_id", "value"]
    assert found.equals(found.sort(key))
    assert found.equals(funnel_entrant_groups(frame, mixed, turned, horizon=LATE).collect())
