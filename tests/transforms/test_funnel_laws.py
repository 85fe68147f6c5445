"""Laws of the funnel engine: it equals the definition by brute force, and what must never change does not."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.funnel_oracle import Definition, Event, attempts
from transforms.contracts import MART_FUNNEL_ENTRANT_GROUPS, MART_FUNNEL_ENTRANTS
from transforms.funnels import funnel_answer, funnel_entrant_groups, funnel_entrants
from transforms.journey import Breakdown, Funnel

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
        step: dict[str, Any] = (
            {"event": min(names)} if len(names) == 1 else {"any": True, "where": {"event": sorted(names)}}
        )
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
    columns = (
        "unit_id",
        "entered_at",
        "entry_event_id",
        "step_times",
        "step_event_ids",
        "status",
        "is_first",
        "is_best",
        "is_counted",
    )
    return {
        tuple(tuple(value) if isinstance(value, list) else value for value in row)
        for row in listed.select(columns).rows()
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


# ---------------------------------------------------------------- what must never change

letters = st.sampled_from("ABCX")
timelines = st.lists(
    st.tuples(st.sampled_from(["u1", "u2"]), letters, st.integers(0, 12), st.sampled_from(["red", "blue", None])),
    max_size=8,
)
orders = st.sampled_from(["ordered", "strict", "any"])
WALK = Definition(tuple(frozenset(name) for name in "ABC"), window=8)


def units_of(timeline: list[tuple[str, str, int, str | None]]) -> dict[str, list[Event]]:
    units: dict[str, list[Event]] = {}
    for number, (unit, name, at, held) in enumerate(timeline):
        units.setdefault(unit, []).append(Event(at, f"e{number}", name, held))
    return units


def walk(order: str, **changes: Any) -> Funnel:
    return configured(WALK).model_copy(update={"order": order, **changes})


def kept(events: pl.LazyFrame, funnel: Funnel) -> pl.DataFrame:
    return funnel_entrants(events, funnel, horizon=minute(12)).collect()


@settings(max_examples=40, deadline=None)
@given(timelines, orders, st.randoms())
def test_the_order_of_rows_changes_nothing(timeline: list[Any], order: str, chance: random.Random):
    events = frame(units_of(timeline)).collect()
    shuffled = events.sample(fraction=1.0, shuffle=True, seed=chance.randint(0, 999))

    assert kept(shuffled.lazy(), walk(order)).equals(kept(events.lazy(), walk(order)))


@settings(max_examples=40, deadline=None)
@given(timelines, orders)
def test_units_never_grow_from_one_mandatory_step_to_the_next(timeline: list[Any], order: str):
    funnel = walk(order)
    rows = kept(frame(units_of(timeline)), funnel)

    answer = funnel_answer(rows, MART_FUNNEL_ENTRANT_GROUPS.empty(), funnel, horizon=minute(12), with_attempts=False)

    counts = [step["count"] for step in answer["steps"]]
    assert counts == sorted(counts, reverse=True)
    left = sum(step["dropped"] + step["open"] + step["excluded"] for step in answer["steps"])
    assert left == counts[0] - rows.filter(pl.col("is_counted") & (pl.col("status") == "converted")).height


@settings(max_examples=30, deadline=None)
@given(timelines, orders)
def test_a_subset_of_whole_units_gives_the_rows_of_those_units(timeline: list[Any], order: str):
    events, funnel = frame(units_of(timeline)), walk(order)

    alone = kept(events.filter(pl.col("customer_id") == "u1"), funnel)

    assert alone.equals(kept(events, funnel).filter(pl.col("unit_id") == "u1"))


@settings(max_examples=30, deadline=None)
@given(timelines, orders, st.sampled_from(["all_events", {"step": 2}]))
def test_a_searched_group_is_the_funnel_held_to_its_value(timeline: list[Any], order: str, as_of: Any):
    events = frame(units_of(timeline))
    breakdown = Breakdown.model_validate({"by": ["color"], "as_of": as_of})
    funnel = walk(order, breakdowns=(breakdown,))

    groups = funnel_entrant_groups(events, kept(events, funnel).lazy(), funnel, horizon=minute(12)).collect()

    for color in ("red", "blue"):
        held = {"color": color}
        if as_of == "all_events":
            alone = kept(events.filter(pl.col("properties") == f'{{"color": "{color}"}}'), funnel)
        else:
            steps = (funnel.steps[0], funnel.steps[1].model_copy(update={"where": held}), funnel.steps[2])
            alone = kept(events, funnel.model_copy(update={"steps": steps}))
            alone = alone.filter(pl.col("step_times").list.get(1).is_not_null())
        columns = ["unit_id", "entry_event_id", "step_times", "depth", "status", "is_first", "is_best", "is_counted"]
        assert groups.filter(pl.col("value") == color).select(columns).rows() == alone.select(columns).rows()


@pytest.mark.parametrize("order", ["ordered", "strict", "any"])
def test_no_events_give_empty_tables(order: str):
    funnel = walk(
        order, breakdowns=(Breakdown(by=("color",)), Breakdown.model_validate({"by": ["color"], "as_of": "all_events"}))
    )

    entrants = kept(frame({}), funnel)
    groups = funnel_entrant_groups(frame({}), entrants.lazy(), funnel, horizon=None).collect()

    assert MART_FUNNEL_ENTRANTS.check(entrants).is_empty()
    assert MART_FUNNEL_ENTRANT_GROUPS.check(groups).is_empty()
