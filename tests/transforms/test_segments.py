from datetime import UTC, datetime

import polars as pl
import pytest

from transforms.contracts import CORE_CUSTOMER_SEGMENTS, CORE_CUSTOMERS, CORE_EVENTS
from transforms.journey import Segment
from transforms.segments import customer_segments
from transforms.stages import matches

CUSTOMERS = CORE_CUSTOMERS.conform(
    pl.LazyFrame(
        {
            "customer_id": ["ann", "bob", "eve"],
            "is_lead": [True, False, False],
            "account_id": ["one", None, None],
            "purchase_count": [3, 1, 0],
            "first_purchase_at": [datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC), None],
        }
    )
)
EVENTS = CORE_EVENTS.conform(
    pl.LazyFrame(
        {
            "customer_id": ["ann", "bob", "eve", "eve"],
            "event_number": [1, 1, 1, 2],
            "event": ["page_view", "page_view", "page_view", "ticket_opened"],
            "path": ["/pricing", "/blog/tips", "/pricing", None],
            "source": ["app", "web", "web", "web"],
            "account_id": ["one", None, None, None],
            "properties": ['{"tier": "gold"}', '{"plan": "pro", "tier": "gold"}', "{}", '{"plan": "free"}'],
            "is_counted": [True, True, False, True],
        }
    )
)


def members(*segments: dict) -> list[tuple[str, str]]:
    asked = [Segment.model_validate(segment) for segment in segments]
    found = customer_segments(CUSTOMERS, EVENTS, segments=asked, matches=matches).collect()
    return CORE_CUSTOMER_SEGMENTS.check(found).rows()


def test_a_segment_asks_for_properties_of_the_customer():
    assert members({"name": "loyal", "customer": {"purchase_count": {"gte": 2}}}) == [("loyal", "ann")]


def test_truth_compares_as_text():
    assert members({"name": "leads", "customer": {"is_lead": True}}) == [("leads", "ann")]


def test_a_time_compares_with_a_day():
    assert members({"name": "new", "customer": {"first_purchase_at": {"gte": "2026-02-01"}}}) == [("new", "bob")]


def test_a_segment_asks_for_what_customers_did():
    assert members({"name": "priced", "did": [{"path": "/pricing"}]}) == [("priced", "ann")]


def test_each_of_several_deeds_must_be_done():
    assert members({"name": "both", "did": [{"event": "page_view"}, {"path": "/pricing"}]}) == [("both", "ann")]


def test_a_segment_asks_for_what_customers_did_not_do():
    assert members({"name": "quiet", "did_not": [{"event": "ticket_opened"}]}) == [("quiet", "ann"), ("quiet", "bob")]


def test_a_deed_may_have_to_be_done_so_often():
    often = {"did": [{"source": "web", "at_least": 2}]}

    assert members({"name": "often", **often}, {"name": "rarely", "not_in": ["often"]}) == [
        ("rarely", "ann"),
        ("rarely", "bob"),
        ("rarely", "eve"),
    ]


def test_a_segment_asks_for_what_was_last_said_of_the_customer_and_of_the_account():
    assert members({"name": "pro", "properties": {"plan": "pro"}}) == [("pro", "bob")]
    assert members({"name": "gold", "account": {"tier": "gold"}}) == [("gold", "ann")]


def test_segments_may_be_made_of_others_in_any_order():
    priced = {"name": "priced", "did": [{"path": "/pricing"}]}

    assert members({"name": "a", "in": ["priced"], "not_in": ["b"]}, priced, {"name": "b", "customer": {"is_lead": False}}) == [
        ("a", "ann"),
        ("b", "bob"),
        ("b", "eve"),
        ("priced", "ann"),
    ]  # fmt: skip


def test_a_segment_that_asks_nothing_holds_everybody():
    assert len(members({"name": "all"})) == 3


def test_segments_come_in_order_of_name():
    assert [
        name
        for name, _ in members(
            {"name": "b", "customer": {"is_lead": True}}, {"name": "a", "customer": {"is_lead": True}}
        )
    ] == ["a", "b"]


def test_without_segments_nobody_is_in_one():
    assert members() == []


def test_an_unknown_property_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"segment 'x' asks for the property 'colour'.*purchase_count"):
        members({"name": "x", "customer": {"colour": "red"}})
