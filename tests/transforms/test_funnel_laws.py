"""Laws of the funnel engine: it equals the definition by brute force, and what must never change does not."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.funnel_oracle import Definition, Event, attempts, attempts_of_days
from transforms.contracts import MART_FUNNEL_ENTRANT_GROUPS, MART_FUNNEL_ENTRANTS
from transforms.funnels import funnel_answer, funnel_entrant_groups, funnel_entrants
from transforms.journey import Breakdown, Funnel

ZERO = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = {
    "customer_id": pl.String, "event": pl.String, "occurred_at": pl.Datetime("us", "UTC"), "seq": pl.Int64,
    "source": pl.String, "event_id": pl.String, "properties": pl.String,
}  # fmt: skip
UNITS_PER_FUNNEL = 40
MINUTES_PER_DAY = 24 * 60


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


def any_case(seed: int) -> tuple[dict[str, list[Event]], Definition, int]:
    """Streams, a funnel and a horizon."""
    chance = random.Random(seed)
    definition = any_definition(chance)
    units = {f"u{number}": any_events(chance) for number in range(UNITS_PER_FUNNEL)}
    return units, definition, chance.choice([6, 12, 30])


@pytest.mark.parametrize("seed", range(150))
def test_the_engine_equals_the_definition_by_brute_force(seed: int):
    units, definition, horizon = any_case(seed)

    said = said_by_engine(units, definition, horizon)

    assert said == said_by_oracle(units, definition, horizon), definition


@pytest.mark.heavy
@pytest.mark.parametrize("block", range(18))
def test_the_engine_equals_the_definition_on_tens_of_thousands_of_streams(block: int):
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        units, definition, horizon = any_case(seed)

        said = said_by_engine(units, definition, horizon)

        assert said == said_by_oracle(units, definition, horizon), (seed, definition)


def test_the_random_funnels_hold_every_switch_many_times():
    definitions = [any_case(seed)[1] for seed in range(150)]

    for switch in ("order", "ties", "attempt", "range", "exclusion", "holds", "event_reuse"):
        values = [getattr(definition, switch) for definition in definitions]
        assert all(values.count(value) >= 10 for value in set(values)), switch
        assert len(set(values)) > 1, switch
    for part in ("optional", "within", "exclusions", "start", "end"):
        assert sum(bool(getattr(definition, part)) for definition in definitions) >= 15, part
    assert {definition.window for definition in definitions} == {None, 0, 3, 5, 8, 12}
    assert sum(definition.window is None for definition in definitions) >= 10


@pytest.mark.parametrize("block", range(4))
def test_the_first_and_the_best_of_each_day_are_those_of_its_entries_alone(block: int):
    for seed in range(25 * block, 25 * block + 25):
        units, definition, horizon = any_case(seed)
        days = MINUTES_PER_DAY // 4
        asked = scaled(configured(definition), days)
        stretched = frame(units).with_columns(occurred_at=ZERO + (pl.col("occurred_at") - ZERO) * days)

        rows = funnel_entrants(stretched, asked, horizon=minute(horizon * days)).collect()

        columns = ("unit_id", "entry_event_id", "step_event_ids", "is_first_of_day", "is_best_of_day")
        listed = rows.filter(pl.any_horizontal("is_first_of_day", "is_best_of_day")).select(columns).rows()
        said = {(*row[:2], tuple(row[2]), *row[3:]) for row in listed}
        assert said == days_by_oracle(units, definition, horizon, per_day=4), (seed, definition)


def scaled(funnel: Funnel, factor: int) -> Funnel:
    """The same funnel where each minute lasts `factor` minutes."""

    def longer(value: Any) -> Any:
        if isinstance(value, datetime):
            return ZERO + (value - ZERO) * factor
        return value * factor if isinstance(value, timedelta) else value

    steps = tuple(step.model_copy(update={"within": longer(step.within)}) for step in funnel.steps)
    changes = {name: longer(getattr(funnel, name)) for name in ("window", "from_", "to")}
    return funnel.model_copy(update={"steps": steps, **changes})


def days_by_oracle(
    units: dict[str, list[Event]], definition: Definition, horizon: int, *, per_day: int
) -> set[tuple[Any, ...]]:
    return {
        (unit, item["entry"].key, tuple(None if event is None else event.key for event in item["chain"]),
         item["is_first"], item["is_best"])
        for unit, events in units.items()
        for item in attempts_of_days(events, definition, horizon, per_day=per_day)
    }  # fmt: skip


# ---------------------------------------------------------------- long funnels


def long_walk(count: int, **changes: Any) -> Funnel:
    steps = [{"event": f"s{number}"} for number in range(1, count + 1)]
    return Funnel.model_validate({"name": "f", "steps": steps, "window": "1d", **changes})


def walkers(chance: random.Random, count: int, *, names: int = 200) -> dict[str, list[Event]]:
    """Units that walk so many steps, most of which they repeat, some of which they leave out."""
    units = {}
    for number in range(names):
        skips = {chance.randint(2, count + 20)}
        places = [step for step in range(1, count + 1) if step not in skips for _ in range(chance.choice([1, 1, 2]))]
        units[f"u{number}"] = [Event(at, f"e{at:03}", f"s{step}") for at, step in enumerate(places)]
    return units


@pytest.mark.parametrize(
    "changes",
    [{}, {"exclusions": [{"event": "x"}]}, {"attempt": "all"}, {"hold_constant": []}, {"ties": "increasing"}],
    ids=["plain", "exclusions", "all", "held", "increasing"],
)
def test_a_funnel_of_forty_steps_is_walked_to_the_step_left_out(changes: dict[str, Any]):
    units = walkers(random.Random(4), 40)

    rows = funnel_entrants(frame(units), long_walk(40, **changes), horizon=minute(9_000)).collect()

    depths = dict(rows.filter("is_counted").unique("unit_id", keep="first").select("unit_id", "depth").rows())
    there = {unit: {int(event.name[1:]) for event in events} for unit, events in units.items()}
    missing = {unit: min(set(range(1, 42)) - steps) for unit, steps in there.items()}
    assert depths == {unit: step - 1 for unit, step in missing.items()}
    assert 40 in depths.values()
    assert len(set(depths.values())) > 20


def test_forty_steps_in_any_order_count_the_steps_done():
    units = walkers(random.Random(5), 40)

    rows = funnel_entrants(frame(units), long_walk(40, order="any"), horizon=minute(9_000)).collect()

    depths = dict(rows.filter("is_best").select("unit_id", "depth").rows())
    assert depths == {unit: len({event.name for event in events}) for unit, events in units.items()}


def test_forty_steps_of_which_half_are_optional_are_still_exact():
    steps = [{"event": f"s{number}", "optional": number % 2 == 0} for number in range(1, 40)]
    units = walkers(random.Random(6), 39, names=60)

    rows = funnel_entrants(frame(units), long_walk(39, steps=steps), horizon=minute(9_000)).collect()

    converted = dict(rows.filter("is_best").select("unit_id", pl.col("status") == "converted").rows())
    odd = {f"s{number}" for number in range(1, 40, 2)}
    assert converted == {unit: odd <= {event.name for event in events} for unit, events in units.items()}


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
