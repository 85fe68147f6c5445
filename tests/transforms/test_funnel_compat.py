"""Funnels as other products count them. What PostHog's own tests expect is in tests/test_cases.py."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.transforms.funnel_oracle import Definition, Event
from tests.transforms.test_funnel_laws import configured, frame, minute
from transforms.contracts import MART_FUNNEL_ENTRANT_GROUPS
from transforms.funnel_compat import RULES
from transforms.funnels import funnel_answer, funnel_entrants
from transforms.journey import Funnel

UNITS_PER_FUNNEL = 60


def funnel(compat: str, **said: Any) -> Funnel:
    entry = {"name": "f", "steps": [{"event": "A"}, {"event": "B"}], "compat": compat, **said}
    return Funnel.model_validate(entry)


def told(asked: Funnel) -> dict[str, Any]:
    rows = funnel_entrants(frame({}), asked, horizon=None).collect()
    answer = funnel_answer(rows, MART_FUNNEL_ENTRANT_GROUPS.empty(), asked, horizon=None, with_attempts=False)
    return dict(answer["compat"])


@pytest.mark.parametrize("product", sorted(RULES))
def test_compat_sets_the_switches_that_it_tells(product: str):
    asked = funnel(product, breakdowns=["color"])

    assert {name: getattr(asked, name) for name in RULES[product].switches} == dict(RULES[product].switches)
    assert asked.breakdowns[0].as_of == RULES[product].breakdown
    assert set(told(asked)["sets"]) == {*RULES[product].switches, "breakdowns"}
    assert told(asked)["overridden"] == {}


def test_a_key_of_the_entry_overrides_compat_and_the_answer_says_so():
    asked = funnel("posthog", window="1d", breakdowns=[{"by": ["color"], "as_of": "entry"}])

    assert (asked.exclusion, asked.breakdowns[0].as_of) == ("drop", "entry")
    assert told(asked)["overridden"] == {"window": "1d"}


def test_only_what_was_held_against_a_product_is_called_verified():
    verified = {name for name in RULES if told(funnel(name))["verified"].startswith("verified")}

    assert verified == {"posthog", "clickhouse"}


@pytest.mark.parametrize("product", sorted(RULES))
def test_the_guide_says_of_each_product_what_compat_sets(product: str):
    guide = (Path(__file__).resolve().parents[2] / "docs" / "journey-yaml.md").read_text(encoding="utf-8")
    (line,) = [line for line in guide.splitlines() if line.startswith(f"| `{product}` |")]

    switches = {name: value for name, value in told(funnel(product))["sets"].items() if name != "breakdowns"}

    assert [
        name for name, value in switches.items() if f"`{name}: {json.dumps(value).strip(chr(34))}`" not in line
    ] == []
    assert ("not verified" in line) == ("not verified" in RULES[product].verified)


def test_an_unknown_product_is_refused():
    with pytest.raises(ValidationError, match="posthog"):
        funnel("posthg")


def test_mixpanel_counts_the_first_entry_and_ga4_has_no_window():
    units = {"u": [Event(0, "e1", "A"), Event(9_000_000, "e2", "A"), Event(9_000_001, "e3", "B")]}

    depths = {
        product: funnel_entrants(frame(units), funnel(product), horizon=None).filter("is_counted").collect()["depth"].to_list()
        for product in ("mixpanel", "ga4", "amplitude")
    }  # fmt: skip

    assert depths == {"mixpanel": [1], "ga4": [2], "amplitude": [2]}


# ---------------------------------------------------------------- ClickHouse itself


@pytest.mark.heavy
@pytest.mark.parametrize("mode", ["", "strict_once"])
def test_compat_with_clickhouse_equals_window_funnel_on_random_streams(mode: str):
    chdb = pytest.importorskip("chdb", reason="needs the extra `bench`")
    for seed in range(150):
        chance = random.Random(seed)
        steps = tuple(
            frozenset(chance.sample("ABC", 1 if chance.random() < 0.75 else 2)) for _ in range(chance.randint(1, 4))
        )
        definition = Definition(steps, window=chance.choice([0, 3, 5, 8, 12]))
        units = {f"u{number}": any_stream(chance) for number in range(UNITS_PER_FUNNEL)}

        assert ours(units, definition, mode) == theirs(chdb, units, definition, mode), definition


def any_stream(chance: random.Random) -> list[Event]:
    last = chance.choice([2, 6, 12])
    return [
        Event(chance.randint(0, last), f"e{number}", chance.choice("AAABBBCCX"))
        for number in range(chance.randint(1, 7))
    ]


def ours(units: dict[str, list[Event]], definition: Definition, mode: str) -> dict[str, int]:
    plain = configured(definition)
    reuse = {"event_reuse": False} if mode == "strict_once" else {}
    asked = funnel("clickhouse", steps=[step.model_dump() for step in plain.steps], window=plain.window, **reuse)
    best = funnel_entrants(frame(units), asked, horizon=minute(30)).filter("is_best").collect()
    return dict(best.select("unit_id", "depth").rows())


def theirs(chdb: Any, units: dict[str, list[Event]], definition: Definition, mode: str) -> dict[str, int]:
    rows = ",".join(f"('{unit}',{event.at},'{event.name}')" for unit, events in units.items() for event in events)
    steps = ",".join("name IN (" + ",".join(f"'{name}'" for name in sorted(names)) + ")" for names in definition.steps)
    window = f"{definition.window}, '{mode}'" if mode else str(definition.window)
    said = chdb.query(
        f"SELECT unit, windowFunnel({window})(at, {steps}) FROM values('unit String, at UInt32, name String', {rows}) GROUP BY unit",
        "JSONCompact",
    )
    return {unit: int(depth) for unit, depth in json.loads(str(said))["data"] if int(depth)}
