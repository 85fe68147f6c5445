"""Waits between stages against a walk through each customer's entries, one at a time."""

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from transforms.contracts import CORE_STAGE_ENTRIES
from transforms.journey import Journey
from transforms.waits import stage_waits

STAGES = ["awareness", "consideration", "purchase", "retention"]
PLAN = Journey.model_validate({"stages": [{"name": name} for name in STAGES]})
HOUR = timedelta(hours=1)
DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)

Entry = tuple[str, int, str, datetime]


def some_entries(draw: random.Random) -> list[Entry]:
    """Entries of a few customers in any order; now and then one is at a bare date, before the entry it follows."""
    rows = []
    for customer in range(draw.randrange(1, 8)):
        at = DAY_0
        for number in range(draw.randrange(1, 7)):
            at += draw.randrange(30) * HOUR
            told = at.replace(hour=0) if draw.random() < 0.2 else at
            rows.append((f"c{customer}", number + 1, draw.choice(STAGES), told))
    draw.shuffle(rows)
    return rows


def walked(
    rows: list[Entry], horizon: datetime, window: timedelta | None, cohort: tuple[datetime, datetime]
) -> list[tuple]:
    """What `stage_waits` should give."""
    found = []
    for customer in {row[0] for row in rows}:
        own = sorted(row[1:] for row in rows if row[0] == customer and row[3] <= horizon)
        for here, name in enumerate(STAGES):
            began = next((row for row in own if row[1] == name and cohort[0] <= row[2] < cohort[1]), None)
            for later in STAGES[here + 1 :] if began else []:
                closes = horizon if window is None else began[2] + window
                times = [at for number, stage, at in own if number > began[0] and stage == later and at <= closes]
                until = min(times) if times else min(closes, horizon)
                waited = (max(until, began[2]) - began[2]) // timedelta(microseconds=1)
                found.append((name, later, bool(times), closes <= horizon, waited))
    return sorted(found)


@pytest.mark.parametrize("seed", range(60))
def test_waits_are_those_of_a_walk_through_each_customers_entries(seed: int):
    draw = random.Random(seed)
    rows = some_entries(draw)
    horizon = DAY_0 + draw.randrange(1, 150) * HOUR
    window = draw.choice([None, 20 * HOUR, 60 * HOUR])
    cohort = draw.choice([(DAY_0 - HOUR, horizon + HOUR), (DAY_0 + 10 * HOUR, DAY_0 + 40 * HOUR)])
    schema = {name: CORE_STAGE_ENTRIES.schema[name] for name in ("customer_id", "entry_number", "stage", "entered_at")}
    entries = pl.LazyFrame(rows, schema=schema, orient="row")

    found = stage_waits(
        entries, journey=PLAN, horizon=horizon, window=window, time_from=cohort[0], time_to=cohort[1]
    ).collect()

    assert sorted(found.cast({"from_stage": pl.String, "to_stage": pl.String}).rows()) == walked(
        rows, horizon, window, cohort
    )


def test_nothing_is_waited_for_before_anything_is_complete():
    nothing = stage_waits(CORE_STAGE_ENTRIES.empty().lazy(), journey=PLAN, horizon=None, window=None)

    assert nothing.collect().is_empty()


def test_a_journey_of_one_stage_has_nothing_to_wait_for():
    plan = Journey.model_validate({"stages": [{"name": "awareness"}]})
    entries = CORE_STAGE_ENTRIES.conform(
        pl.LazyFrame({"customer_id": ["ann"], "entry_number": [1], "stage": ["awareness"], "entered_at": [DAY_0]})
    )

    assert stage_waits(entries, journey=plan, horizon=DAY_0 + HOUR, window=None).collect().is_empty()
