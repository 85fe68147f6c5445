from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from transforms.contracts import CORE_EVENTS, CORE_STAGE_ENTRIES, TIME
from transforms.events import build_timeline
from transforms.journey import Journey, When
from transforms.stages import event_property, matches, rules_of, stage_entries

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
NAMES = ("one", "two", "three", "four")
JOURNEY = Journey(
    stages=[{"name": name, "touchpoints": [{"name": f"{name} done", "when": {"event": name}}]} for name in NAMES]
)


def timeline(*events: str | dict[str, object]) -> pl.LazyFrame:
    """Events named after their stage, a day apart unless they say otherwise."""
    rows = []
    for number, said in enumerate(events):
        event = {"event": said} if isinstance(said, str) else said
        row = {
            "customer_id": "ann",
            "source": "web",
            "event_id": str(number),
            "occurred_at": START + timedelta(days=number),
        }
        rows.append({**row, **event})
    owned = pl.LazyFrame(rows, schema_overrides={"occurred_at": TIME}, infer_schema_length=None)
    return build_timeline(owned, journey=JOURNEY).collect().lazy()


def entries(*events: str | dict[str, object]) -> pl.DataFrame:
    return CORE_STAGE_ENTRIES.check(stage_entries(timeline(*events), journey=JOURNEY).collect())


# ---------------------------------------------------------------- entries


def test_an_entry_is_made_only_when_the_stage_differs_from_the_current_one():
    assert entries("one", "one", "two", "two", "one")["stage"].to_list() == ["one", "two", "one"]


def test_events_without_a_stage_move_nobody():
    assert entries("one", "elsewhere", "one")["stage"].to_list() == ["one"]


def test_robots_enter_no_stage():
    assert entries({"event": "one", "is_bot": True}).is_empty()


def test_one_step_is_forward_more_is_skip_and_less_is_back():
    found = entries("one", "two", "four", "three", "one")

    assert found["direction"].to_list() == ["forward", "forward", "skip", "back", "back"]


def test_a_first_entry_is_forward_at_stage_1_and_a_skip_elsewhere():
    assert entries("one")["direction"].to_list() == ["forward"]
    assert entries("two")["direction"].to_list() == ["skip"]


def test_an_entry_ends_where_the_next_begins():
    found = entries("one", "two")

    assert found.select("from_stage", "entered_at", "left_at").rows() == [
        (None, START, START + timedelta(days=1)),
        ("one", START + timedelta(days=1), None),
    ]


def test_an_entry_tells_its_cause_and_whether_it_is_the_first_into_its_stage():
    found = entries("one", "two", "one")

    assert found["touchpoint"].to_list() == ["one done", "two done", "one done"]
    assert found["is_first"].to_list() == [True, True, False]
    assert found["entry_number"].to_list() == [1, 2, 3]


def test_events_of_one_instant_apply_in_stage_order():
    found = entries({"event": "two", "occurred_at": START}, {"event": "one", "occurred_at": START})

    assert found["stage"].to_list() == ["one", "two"]
    assert found["direction"].to_list() == ["forward", "forward"]


def test_at_one_instant_the_stage_a_customer_is_in_is_not_entered_again():
    same = START + timedelta(days=1)
    found = entries("two", {"event": "three", "occurred_at": same}, {"event": "two", "occurred_at": same})

    assert found["stage"].to_list() == ["two", "three"]


def test_at_one_instant_one_event_of_a_stage_enters():
    found = entries(
        {"event": "one", "event_id": "b", "occurred_at": START}, {"event": "one", "event_id": "a", "occurred_at": START}
    )

    assert found["event_id"].to_list() == ["a"]


def test_a_stage_entered_by_a_date_is_never_left_before_it_is_entered():
    midnight = START.replace(hour=0)
    found = entries(
        {"event": "one", "occurred_at": START}, {"event": "two", "occurred_at": midnight, "time_precision": "day"}
    )

    assert found.select("stage", "left_at").rows() == [("one", START), ("two", None)]


def test_the_timeline_marks_the_events_that_enter():
    found = timeline("one", "one", "two").collect()

    assert found["is_stage_entry"].to_list() == [True, False, True]


def test_each_customer_has_a_way_of_its_own():
    found = entries({"event": "one", "customer_id": "ann"}, {"event": "two", "customer_id": "bob"})

    assert found.select("customer_id", "entry_number", "from_stage").rows() == [("ann", 1, None), ("bob", 1, None)]


def test_no_events_are_no_entries():
    nothing = stage_entries(CORE_EVENTS.empty().lazy(), journey=JOURNEY).collect()

    assert CORE_STAGE_ENTRIES.check(nothing).is_empty()


# ---------------------------------------------------------------- rules


def test_rules_are_tried_stage_by_stage_and_a_stage_s_own_before_its_phases():
    touchpoint = {"when": {"event": "x"}}
    journey = Journey(
        stages=[
            {
                "name": "a",
                "phases": [{"name": "p", "touchpoints": [{"name": "2", **touchpoint}]}],
                "touchpoints": [{"name": "1", **touchpoint}],
            },
            {"name": "b", "touchpoints": [{"name": "3", **touchpoint}]},
        ]
    )

    assert [(rule.touchpoint, rule.stage_number, rule.phase) for rule in rules_of(journey)] == [
        ("1", 1, None), ("2", 1, "p"), ("3", 2, None),
    ]  # fmt: skip


PAGE = {
    "source": "web", "event": "page_view", "hostname": "shop.example", "path": "/blog/pans", "channel": "Email",
    "is_customer": False, "properties": '{"topic": "pans", "a.b": 1, "paid": true}', "device": "mobile",
}  # fmt: skip


def passes(**when: object) -> bool:
    event = CORE_EVENTS.conform(pl.LazyFrame([PAGE])).collect()
    return event.select(matches(When(**when))).item()


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"event": "page_view"}, True),
        ({"event": ["search", "page_view"]}, True),
        ({"event": "search"}, False),
        ({"source": "crm"}, False),
        ({"path": "/blog/**"}, True),
        ({"path": "/blog/pans/**"}, True),
        ({"path": "/blog/pan/**"}, False),
        ({"path": "/blog/*"}, True),
        ({"path": "/*"}, False),
        ({"path": "/**/pans"}, True),
        ({"path": "/blog/p?ns"}, True),
        ({"path": "/blog"}, False),
        ({"path": ["/blog", "/blog/pans"]}, True),
        ({"hostname": "*.example"}, True),
        ({"channel": ["Email", "SMS"]}, True),
        ({"channel": "SMS"}, False),
        ({"object": "deal"}, False),
        ({"state": "won"}, False),
        ({"status": "prospect"}, True),
        ({"status": "customer"}, False),
        ({"where": {"topic": "pans"}}, True),
        ({"where": {"topic": {"ne": "pans"}}}, False),
        ({"where": {"missing": {"ne": "pans"}}}, True),
        ({"where": {"a.b": 1, "paid": True}}, True),
        ({"where": {"device": "mobile"}}, True),
        ({"event": "search", "where": {"topic": "pans"}}, False),
        ({"event": "page_view", "path": "/blog/**", "status": "prospect", "where": {"topic": "pans"}}, True),
    ],
)
def test_a_when_holds_where_every_key_holds(when, expected):
    assert passes(**when) is expected


def test_a_when_on_something_missing_does_not_hold():
    event = CORE_EVENTS.conform(pl.LazyFrame([{"event": "page_view"}])).collect()

    held = event.select(
        path=matches(When(path="/**")), channel=matches(When(channel="Email")), status=matches(When(status="customer"))
    )

    assert held.row(0) == (False, False, False)


def test_a_property_is_a_column_else_a_key_of_properties():
    event = CORE_EVENTS.conform(pl.LazyFrame([PAGE])).collect()

    read = event.select(
        event_property("device"), event_property("topic").alias("topic"), event_property("x").alias("x")
    )

    assert read.row(0) == ("mobile", "pans", None)


def test_a_bare_date_after_a_timed_event_of_its_day_is_entered_when_that_was():
    dated = {"event": "two", "occurred_at": START.replace(hour=0), "time_precision": "day"}

    found = entries("one", dated)

    assert found["entered_at"].to_list() == [START, START]
    assert found["left_at"].to_list() == [START, None]
