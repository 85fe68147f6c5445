"""Identity health: bridges by hand, and against taking every tie away in turn."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.contracts import CORE_IDENTITY_EDGES, CORE_IDENTITY_MAP
from transforms.identity_health import identity_bridges, split_sizes

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
