"""Identity health: bridges by hand, and against taking every tie away in turn; rates with stitching and without."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.contracts import (
    CORE_EVENTS,
    CORE_IDENTITY_EDGES,
    CORE_IDENTITY_MAP,
    MART_FUNNEL_ENTRANTS,
    MART_STAGE_CONVERSION,
)
from transforms.identity_health import COUNTS, identity_bridges, identity_sensitivity, split_sizes, stitching_effect
from transforms.journey import Journey

Tie = tuple[str, str]


def frames(*ties: Tie, status: str = "applied", kind: str = "login") -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """One customer of user ids tied so; the edges e0, e1, … in this order."""
    edges = [
        {"edge_id": f"e{number}", "kind": kind, "strength": 3, "from_namespace": "user_id", "from_value": near,
         "to_namespace": "user_id", "to_value": far, "evidence_count": 1, "status": status}
        for number, (near, far) in enumerate(ties)
    ]  # fmt: skip
    values = sorted({value for tie in ties for value in tie})
    identifiers = [{"namespace": "user_id", "value": value, "customer_id": "c"} for value in values]
    ledger = pl.LazyFrame(edges, schema_overrides={"strength": pl.UInt8}) if edges else pl.LazyFrame()
    return CORE_IDENTITY_EDGES.conform(ledger), CORE_IDENTITY_MAP.conform(pl.LazyFrame(identifiers))


def bridges(*ties: Tie, **said: str) -> list[tuple[str, str, int, int]]:
    found = identity_bridges(*frames(*ties, **said)).collect()
    return found.select("from_value", "to_value", "from_identifiers", "to_identifiers").rows()


def test_the_tie_between_two_groups_is_a_bridge():
    assert bridges(("a", "b"), ("b", "c"), ("c", "d"), ("c", "e")) == [("b", "c", 2, 3)]


def test_a_tie_to_a_single_identifier_is_none():
    assert bridges(("a", "b"), ("a", "c"), ("a", "d"), ("a", "e")) == []


def test_a_tie_that_another_way_goes_around_is_none():
    assert bridges(("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")) == []


def test_two_kinds_of_evidence_for_one_pair_are_one_tie():
    edges, identity_map = frames(("a", "b"), ("b", "c"), ("b", "c"), ("c", "d"))
    edges = edges.with_columns(kind=pl.Series(["login", "login", "form", "login"]))

    (found,) = identity_bridges(edges, identity_map).collect().rows(named=True)

    assert (found["from_value"], found["to_value"]) == ("b", "c")
    assert (found["edge_id"], found["kinds"], found["evidence_count"]) == ("e1", "form, login", 2)


def test_edges_that_are_not_applied_tie_nothing():
    assert bridges(("a", "b"), ("b", "c"), ("c", "d"), status="conflict") == []


def test_no_identifiers_have_no_bridges():
    empty = CORE_IDENTITY_EDGES.empty().lazy(), CORE_IDENTITY_MAP.empty().lazy()

    assert identity_bridges(*empty).collect().is_empty()


graphs = st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda tie: tie[0] < tie[1]), max_size=16).map(
    sorted
)


@settings(deadline=None, max_examples=300)
@given(graphs)
def test_a_bridge_is_what_parts_its_ends_when_it_is_taken_away(ties):
    left, right = (np.array([tie[end] for tie in ties], dtype=np.int64) for end in (0, 1))

    sizes = split_sizes(left, right, count=10).tolist()

    for number, (near, far) in enumerate(ties):
        others = ties[:number] + ties[number + 1 :]
        beyond = reached(far, others)
        is_bridge = near not in beyond and len(beyond) > 1 and len(reached(near, others)) > 1
        assert sizes[number] == (len(beyond) if is_bridge else 0)


def reached(start: int, ties: list[tuple[int, int]]) -> set[int]:
    """Every node that ties lead to."""
    found = {start}
    while True:
        grown = found | {other for tie in ties for node, other in (tie, tie[::-1]) if node in found}
        if grown == found:
            return found
        found = grown


# ---------------------------------------------------------------- what stitching does to the rates

JOURNEY = Journey.model_validate(
    {
        "stages": [{"name": "awareness"}, {"name": "consideration"}, {"name": "purchase"}],
        "funnels": [{"name": "checkout", "steps": [{"event": "view"}, {"event": "buy"}], "window": "7d"}],
        "stage_window": "7d",
    }
)
STAGES = {"read": "awareness", "view": "consideration", "buy": "purchase"}
START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=90)


def timeline(*rows: tuple[str, str | None, str]) -> pl.LazyFrame:
    """Events of customers, a minute after each other: customer, browser, what happened."""
    events = [
        {"customer_id": customer, "visitor_id": browser, "event": event, "stage": STAGES[event], "event_number": number,
         "source": "web", "event_id": f"e{number:02}", "occurred_at": START + timedelta(minutes=number),
         "time_precision": "instant", "is_counted": True, "is_active": True}
        for number, (customer, browser, event) in enumerate(rows, start=1)
    ]  # fmt: skip
    return CORE_EVENTS.conform(pl.LazyFrame(events, schema_overrides={"visitor_id": pl.String}))


def effect(*rows: tuple[str, str | None, str]) -> dict[str, tuple[int, int]]:
    """Differences of entered and reached by what is entered."""
    found = stitching_effect(timeline(*rows), journey=JOURNEY, funnel_horizon=LATER, stage_horizon=LATER).collect()
    return {subject: (entered, reached) for subject, entered, reached in found.select("subject", *COUNTS).rows()}


def test_without_stitching_a_way_over_two_browsers_is_not_completed():
    found = effect(("ann", "b1", "view"), ("ann", "b2", "buy"))

    assert found == {"checkout": (0, -1), "awareness": (0, 0), "consideration": (0, -1)}


def test_without_stitching_a_customer_of_two_browsers_enters_twice():
    assert effect(("ann", "b1", "view"), ("ann", "b2", "view"), ("ann", "b2", "buy"))["checkout"] == (1, 0)


def test_what_carries_no_browser_is_one_more_unit():
    assert effect(("ann", "b1", "view"), ("ann", None, "view"), ("ann", None, "buy"))["checkout"] == (1, 0)


def test_a_customer_of_one_browser_is_the_same_both_ways():
    found = effect(("ann", "b1", "view"), ("ann", "b1", "buy"), ("bob", "b2", "read"), ("bob", "b2", "view"))

    assert set(found.values()) == {(0, 0)}


def test_browsers_of_different_customers_never_become_one_unit():
    assert effect(("ann", "b9", "view"), ("bob", "b9", "buy"))["checkout"] == (0, 0)


ways = st.lists(
    st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(["b1", "b2", None]), st.sampled_from(sorted(STAGES))),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=50)
@given(ways)
def test_every_unit_that_has_an_event_of_a_stage_enters_it_once(rows):
    found = effect(*rows)

    for stage in JOURNEY.stage_names[:-1]:
        there = [(customer, browser) for customer, browser, event in rows if STAGES[event] == stage]
        assert found[stage][0] == len(set(there)) - len({customer for customer, _ in there})


def test_the_effect_is_added_to_the_counts_of_customers_and_rates_come_last():
    entrants = MART_FUNNEL_ENTRANTS.conform(
        pl.LazyFrame({"funnel": ["checkout"] * 4, "is_counted": [True, True, True, False],
                      "status": ["converted", "dropped", "open", "converted"]})
    )  # fmt: skip
    conversion = MART_STAGE_CONVERSION.conform(
        pl.LazyFrame({"from_stage": ["awareness", "awareness"], "from_stage_number": [1, 1], "entered": [10, 10],
                      "to_stage": ["consideration", "purchase"], "to_stage_number": [2, 3], "reached": [5, 1]})
    )  # fmt: skip
    effects = pl.LazyFrame(
        {"figure": ["funnel", "stage"], "subject": ["checkout", "awareness"], "target": ["buy", "consideration"],
         "entered": [1, 2], "reached": [-1, 1]}
    )  # fmt: skip

    found = identity_sensitivity(entrants, conversion, effects, journey=JOURNEY).collect()

    assert found.rows() == [
        ("funnel", "checkout", "buy", 3, 1, 1 / 3, 4, 0, 0.0),
        ("stage", "awareness", "consideration", 10, 5, 0.5, 12, 6, 0.5),
    ]
