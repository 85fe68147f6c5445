"""Segments as of entry, held against what would be said had nothing happened after the entry."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from transforms.events import build_timeline, customer_activity
from transforms.journey import Journey, Segment
from transforms.segments import columns_told, segments_at_entry
from transforms.stages import matches, stage_entries

START = datetime(2026, 1, 5, tzinfo=UTC)
JOURNEY = Journey.model_validate(
    {
        "stages": [
            {"name": "look", "touchpoints": [{"name": "view", "when": {"event": "view"}}]},
            {"name": "buy", "touchpoints": [{"name": "buy", "when": {"event": "buy"}}]},
        ],
        "conversions": [{"event": "buy"}],
    }
)
SEGMENTS = [
    Segment.model_validate({**segment, "as_of": "entry"})
    for segment in (
        {"name": "everybody"},
        {"name": "bought", "customer": {"purchase_count": {"gte": 1}}},
        {"name": "bought early", "customer": {"first_purchase_at": {"lt": "2026-01-06"}}},
        {"name": "busy", "customer": {"event_count": {"gte": 3}, "last_seen_at": {"gte": "2026-01-05T01:00:00"}}},
        {"name": "looking", "customer": {"current_stage": "look", "furthest_stage": "buy"}},
        {"name": "of one", "customer": {"account_id": "one"}},
        {"name": "pro", "properties": {"plan": "pro"}},
        {"name": "not pro", "properties": {"plan": {"ne": "pro"}}},
        {"name": "gold account", "account": {"tier": "gold"}},
        {"name": "looked twice", "did": [{"event": "view", "at_least": 2}]},
        {"name": "looked, never bought", "did": [{"event": "view"}], "did_not": [{"event": "buy"}]},
        {"name": "viewed as a customer", "did": [{"event": "view", "status": "customer"}]},
        {"name": "pro buyers", "in": ["bought", "pro"]},
        {"name": "others", "not_in": ["pro buyers", "looked twice"]},
    )
]
NAMES = [segment.name for segment in SEGMENTS]


def happenings(seed: int) -> list[dict[str, Any]]:
    """Events of two customers, with ties, dates without a time, robots, accounts and properties."""
    draw = random.Random(seed)
    rows = []
    for number in range(draw.randint(2, 16)):
        is_dated = draw.random() < 0.2
        minutes = draw.choice([0, 30, 60, 600, 1440, 1500])
        properties = {
            name: draw.choice(values)
            for name, values in (("plan", ["pro", "free"]), ("tier", ["gold", "tin"]))
            if draw.random() < 0.4
        }
        at = START + timedelta(days=minutes // 1440) if is_dated else START + timedelta(minutes=minutes)
        rows.append(
            {
                "customer_id": draw.choice(["ann", "bob"]),
                "source": "web",
                "event_id": f"{draw.randint(0, 99):02d}-{number}",
                "event": draw.choice(["view", "view", "buy", "call"]),
                "occurred_at": at,
                "time_precision": "day" if is_dated else "instant",
                "account_id": draw.choice([None, None, "one", "two"]),
                "is_bot": draw.random() < 0.1,
                "properties": json.dumps(properties),
            }
        )
    return rows


def instant(row: dict[str, Any]) -> datetime:
    """When something is known to have happened: a date only at the end of its day."""
    day_end = row["occurred_at"] + timedelta(days=1) - timedelta(microseconds=1)
    return day_end if row["time_precision"] == "day" else row["occurred_at"]


def expected(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """For each event as an entry: build a world in which nothing happened after it, and look."""
    worlds = [
        {**row, "customer_id": f"{entry['customer_id']}@{entry['event_id']}"}
        for entry in rows
        for row in rows
        if row["customer_id"] == entry["customer_id"] and instant(row) <= instant(entry)
    ]
    events = build_timeline(pl.LazyFrame(worlds), journey=JOURNEY).collect()
    entries = stage_entries(events.lazy(), journey=JOURNEY)
    customers = customer_activity(events.lazy(), entries, journey=JOURNEY).collect()
    done = {key: group.rows(named=True) for (key,), group in events.group_by("customer_id")}
    found = set()
    for customer in customers.rows(named=True):
        name, event_id = customer["customer_id"].split("@")
        past = sorted(done[customer["customer_id"]], key=lambda row: row["event_number"])
        inside = membership(customer, [row for row in past if row["is_counted"]])
        found |= {(segment, name, event_id) for segment, is_in in inside.items() if is_in}
    return found


def membership(customer: dict[str, Any], past: list[dict[str, Any]]) -> dict[str, bool]:
    def said(name: str, rows: list[dict[str, Any]]) -> Any:
        values = [json.loads(row["properties"])[name] for row in rows if name in json.loads(row["properties"])]
        return values[-1] if values else None

    views = [row for row in past if row["event"] == "view"]
    buys = [row for row in past if row["event"] == "buy"]
    first, last = customer["first_purchase_at"], customer["last_seen_at"]
    inside = {
        "everybody": True,
        "bought": len(buys) >= 1,
        "bought early": first is not None and first < START + timedelta(days=1),
        "busy": len(past) >= 3 and last >= START + timedelta(hours=1),
        "looking": (customer["current_stage"], customer["furthest_stage"]) == ("look", "buy"),
        "of one": customer["account_id"] == "one",
        "pro": said("plan", past) == "pro",
        "not pro": said("plan", past) != "pro",
        "gold account": said(
            "tier", [row for row in past if row["account_id"] and row["account_id"] == customer["account_id"]]
        )
        == "gold",
        "looked twice": len(views) >= 2,
        "looked, never bought": bool(views) and not buys,
        "viewed as a customer": any(row["is_customer"] for row in views),
    }
    inside["pro buyers"] = inside["bought"] and inside["pro"]
    inside["others"] = not inside["pro buyers"] and not inside["looked twice"]
    return inside


def told(rows: list[dict[str, Any]], names: list[str] = NAMES) -> list[tuple[str, str, str]]:
    events = build_timeline(pl.LazyFrame(rows), journey=JOURNEY)
    entrants = events.select("customer_id", entry_source="source", entry_event_id="event_id")
    read = events.select(sorted(columns_told(names, SEGMENTS, matches=matches)))
    found = segments_at_entry(
        entrants, read, names=names, segments=SEGMENTS, stages=JOURNEY.stage_names, matches=matches
    )
    return found.select("segment", "customer_id", "entry_event_id").collect().rows()


@pytest.mark.parametrize("seed", range(24))
def test_as_of_entry_is_what_would_be_said_had_nothing_happened_after_it(seed: int):
    rows = happenings(seed)

    found = told(rows)

    assert len(found) == len(set(found))
    assert set(found) == expected(rows)


def test_what_comes_after_the_entry_changes_nothing():
    rows = happenings(3)
    last = max(row["occurred_at"] for row in rows)
    later = {**rows[0], "event_id": "later", "event": "buy", "occurred_at": last + timedelta(days=3)}

    with_more = {row for row in told([*rows, {**later, "time_precision": "instant"}]) if row[2] != "later"}

    assert with_more == set(told(rows))


def test_only_the_segments_that_are_asked_for_are_told():
    assert {name for name, *_ in told(happenings(5), ["pro buyers"])} <= {"pro buyers"}


def test_nobody_entered_nothing_is_told():
    rows = happenings(5)
    events = build_timeline(pl.LazyFrame(rows), journey=JOURNEY)
    nobody = events.select("customer_id", entry_source="source", entry_event_id="event_id").limit(0)

    found = segments_at_entry(
        nobody, events, names=NAMES, segments=SEGMENTS, stages=JOURNEY.stage_names, matches=matches
    )

    assert found.collect().is_empty()
