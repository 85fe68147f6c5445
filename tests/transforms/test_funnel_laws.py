"""Laws of the funnel engine: it equals the definition by brute force, and what must never change does not."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tests.transforms.funnel_oracle import Definition, Event, attempts
from transforms.funnels import funnel_entrants
from transforms.journey import Funnel

ZERO = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = {
    "customer_id": pl.String, "event": pl.String, "occurred_at": pl.Datetime("us", "UTC"), "seq": pl.Int64,
    "source": pl.String, "event_id": pl.String, "properties": pl.String,
}  # fmt: skip
UNITS_PER_FUNNEL = 40


def minute(at: int) -> datetime:
    return ZERO + timedelta(minutes=at)


def frame(units: dict[str, list[Event]]) -> pl.LazyFrame:
    rows = [
        (unit, event.name, minute(event.at), event.seq, "s", event.key, None if event.held is None else f'{{"color": "{event.held}"}}')
        for unit, events in units.items()
        for event in events
    ]  # fmt: skip
    return pl.LazyFrame(rows, schema=SCHEMA, orient="row")


def configured(definition: Definition) -> Funnel:
    """The same funnel as an entry of journey.yaml: names of a set become a `where`, through properties or the event."""
    steps: list[dict[str, Any]] = []
    for number, names in enumerate(definition.steps, start=1):
        step: dict[str, Any] = {"event": min(names)} if len(names) == 1 else {"any": True, "where": {"event": sorted(names)}}
        step["optional"] = number in definition.optional
        if number in dict(definition.within):
            step["within"] = timedelta(minutes=dict(definition.within)[number])
        steps.append(step)
    return Funnel.model_validate(
        {
            "name": "f", "steps": steps, "order": definition.order, "ties": definition.ties, "attempt": definition.attempt,
            "range": definition.range, "exclusion": definition.exclusion, "event_reuse": definition.event_reuse,
            "window": None if definition.window is None else timedelta(minutes=definition.window),
            "exclusions": [{"event": name, "from": first, "to": last} for name, first, last in definition.exclusions],
            "hold_constant": ["color"] if definition.holds else [],
            "from": None if definition.start is None else minute(definition.start),
            "to": None if definition.end is None else minute(definition.end),
        }
    )  # fmt: skip


def said_by_oracle(units: dict[str, list[Event]], definition: Definition, horizon: int) -> set[tuple[Any, ...]]:
    return {
        (unit, minute(item["entry"].at), item["entry"].key,
         tuple(None if event is None else minute(event.at) for event in item["chain"]),
         tuple(None if event is None else event.key for event in item["chain"]),
         item["status"], item["is_first"], item["is_best"], item["is_counted"])
        for unit, events in units.items()
        for item in attempts(events, definition, horizon)
    }  # fmt: skip


def said_by_engine(units: dict[str, list[Event]], definition: Definition, horizon: int) -> set[tuple[Any, ...]]:
    rows = funnel_entrants(frame(units), configured(definition), horizon=minute(horizon)).collect()
    listed = rows.filter(pl.any_horizontal("is_first", "is_best", "is_counted"))
    columns = ("unit_id", "entered_at", "entry_event_id", "step_times", "step_event_ids", "status", "is_first", "is_best", "is_counted")
    return {
        tuple(tuple(value) if isinstance(value, list) else value for value in row) for row in listed.select(columns).rows()
    }


def any_definition(chance: random.Random) -> Definition:
    count = chance.randint(1, 4)
    names = "ABC" if chance.random() < 0.6 else "AB"
    steps = tuple(frozenset(chance.sample(names, 1 if chance.random() < 0.75 else 2)) for _ in range(count))
    if chance.random() < 0.4:
        steps = tuple(frozenset(name) for name in "ABCD"[:count])
    order = chance.choice(["ordered", "ordered", "strict", "any"])
    optional = () if order == "any" else tuple(number for number in range(2, count + 1) if chance.random() < 0.2)
    mandatory = [number for number in range(1, count + 1) if number not in optional]
    spans = [(a, b) for a in mandatory for b in mandatory if a < b]
    exclusions = tuple(
        (chance.choice("XXC"), *chance.choice(spans)) for _ in range(chance.choice([0, 0, 1, 1, 2])) if spans
    )
    within = () if order == "any" else tuple(
        (number, chance.randint(0, 4)) for number in range(2, count + 1) if chance.random() < 0.25
    )  # fmt: skip
    start, end = sorted(chance.sample(range(14), 2))
    has_range = chance.random() < 0.3
    return Definition(
        steps, order, chance.choice([None, 0, 3, 5, 8, 12]), chance.choice(["any", "any", "increasing"]),
        chance.choice(["best", "best", "first", "all"]), chance.choice(["entry", "all"]), optional, within, exclusions,
        chance.choice(["kill", "kill", "drop"]), chance.random() < 0.15, chance.random() < 0.15,
        start if has_range else None, end if has_range else None,
    )  # fmt: skip


def any_events(chance: random.Random) -> list[Event]:
    last = chance.choice([2, 6, 12])
    events = [
        Event(
            chance.randint(0, last), f"e{number}", chance.choice("AAABBBCCDX"), chance.choice(["red", "red", "blue", None]),
            chance.choice([None, 1, 2]) if last == 6 else None,
        )
        for number in chance.sample(range(10), chance.randint(0, 7))
    ]  # fmt: skip
    chance.shuffle(events)
    return events


@pytest.mark.parametrize("seed", range(150))
def test_the_engine_equals_the_definition_by_brute_force(seed: int):
    chance = random.Random(seed)
    definition = any_definition(chance)
    units = {f"u{number}": any_events(chance) for number in range(UNITS_PER_FUNNEL)}
    horizon = chance.choice([6, 12, 30])

    said = said_by_engine(units, definition, horizon)

    assert said == said_by_oracle(units, definition, horizon), definition
