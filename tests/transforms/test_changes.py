from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from transforms.changes import funnel_change_groups, funnel_change_steps, matured_periods
from transforms.contracts import (
    MART_FUNNEL_CHANGE_GROUPS,
    MART_FUNNEL_CHANGE_STEPS,
    MART_FUNNEL_ENTRANT_GROUPS,
    MART_FUNNEL_ENTRANTS,
)
from transforms.journey import Funnel

DAY_0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
HORIZON = DAY_0 + timedelta(days=70)
BEFORE, AFTER = 10, 40


def funnel(**settings: object) -> Funnel:
    steps = [{"event": "see"}, {"event": "try", "optional": True}, {"event": "pay"}, {"event": "use"}]
    return Funnel.model_validate({"name": "buy", "steps": steps, "window": "7d", "breakdowns": ["device"], **settings})


def attempts(*rows: tuple[str, float, int]) -> pl.LazyFrame:
    """MART_FUNNEL_ENTRANTS of (unit, day, depth), the first of their days."""
    frame = [
        {
            "unit_id": unit,
            "entered_at": DAY_0 + timedelta(days=at),
            "entry_day": (DAY_0 + timedelta(days=at)).date(),
            "entry_event_id": f"{unit}{at}",
            "depth": depth,
        }
        for unit, at, depth in rows
    ]
    named = pl.LazyFrame(frame).with_columns(funnel=pl.lit("buy"), entry_source=pl.lit("web"), is_first_of_day=True)
    return MART_FUNNEL_ENTRANTS.conform(named)


def many(letter: str, day: float, *depths: int) -> list[tuple[str, float, int]]:
    return [(f"{letter}{number}", day, depth) for number, depth in enumerate(depths)]


def split(entrants: pl.LazyFrame) -> pl.LazyFrame:
    """Groups by device: units whose name begins with m came on a mobile."""
    device = pl.when(pl.col("unit_id").str.starts_with("m")).then(pl.lit("mobile")).otherwise(pl.lit("desktop"))
    return MART_FUNNEL_ENTRANT_GROUPS.conform(entrants.with_columns(breakdown=pl.lit("device"), value=device))


HORIZONS = {"buy": HORIZON}


def test_the_periods_are_the_last_whose_windows_have_closed():
    # The horizon is 2026-03-12 12:00; entries up to 2026-03-05 12:00 are closed, so March 4th is the last whole day.
    found = matured_periods(funnel(), horizon=HORIZON)

    assert found == (date(2026, 1, 8), date(2026, 2, 4), date(2026, 2, 5), date(2026, 3, 4))


@pytest.mark.parametrize(("window", "horizon"), [("none", HORIZON), ("7d", None)])
def test_without_a_window_or_events_nothing_matures(window, horizon):
    assert matured_periods(funnel(window=window), horizon=horizon) is None


def test_the_step_that_changed_takes_the_change():
    entrants = attempts(*many("a", BEFORE, 1, 1, 4, 4), *many("b", AFTER, 1, 1, 3, 4))

    found = MART_FUNNEL_CHANGE_STEPS.check(
        funnel_change_steps(entrants, funnels=[funnel()], horizons=HORIZONS).collect()
    )

    columns = ("step_number", "step_name", "reached_before", "reached_after", "entered_before", "part", "total_change")
    assert found.select(columns).rows() == [
        (1, "see", 4, 4, 4, 0.0, -0.25),
        (3, "pay", 2, 2, 4, 0.0, -0.25),
        (4, "use", 2, 1, 4, -0.25, -0.25),
    ]


def test_a_unit_counts_once_in_each_period_by_its_first_attempt():
    entrants = attempts(("ann", BEFORE, 1), ("ann", BEFORE + 1, 4), ("ann", AFTER, 4), ("bob", 1, 4), ("eve", 69, 4))

    found = funnel_change_steps(entrants, funnels=[funnel()], horizons=HORIZONS).collect()

    assert found.select("reached_before", "reached_after", "total_change").rows() == [(1, 1, 1), (0, 1, 1), (0, 1, 1)]


def test_a_period_without_entrants_explains_nothing():
    found = funnel_change_steps(attempts(("ann", AFTER, 4)), funnels=[funnel()], horizons=HORIZONS).collect()

    assert found.select("entered_before", "entered_after", "part", "total_change").unique().rows() == [
        (0, 1, None, None)
    ]


def test_other_people_are_mix_and_other_rates_are_rate():
    # Desktop converts half, mobile nobody; the later period has as many desktops and twice the mobiles.
    entrants = attempts(
        *many("d", BEFORE, 4, 1), *many("m", BEFORE, 1, 1), *many("dd", AFTER, 4, 1), *many("mm", AFTER, 1, 1, 1, 1)
    )

    found = MART_FUNNEL_CHANGE_GROUPS.check(
        funnel_change_groups(entrants, split(entrants), funnels=[funnel()], horizons=HORIZONS).collect()
    )

    counts = ("value", "entered_before", "reached_before", "entered_after", "reached_after")
    assert found.select(*counts, "mix_part", "rate_part", "total_change").rows() == [
        ("desktop", 2, 1, 2, 1, -0.083333, 0.0, -0.083333),
        ("mobile", 2, 0, 4, 0, 0.0, 0.0, -0.083333),
    ]


def test_groups_that_do_not_add_up_are_left_out():
    entrants = attempts(("ann", BEFORE, 4), ("bob", AFTER, 4))
    asked = funnel(breakdowns=[{"by": ["device"], "as_of": "all_events"}, {"by": ["device"], "as_of": {"step": 3}}])

    assert funnel_change_groups(entrants, split(entrants), funnels=[asked], horizons=HORIZONS).collect().is_empty()
