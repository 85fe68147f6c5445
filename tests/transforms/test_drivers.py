"""Drivers of conversion: a planted one is found, a planted null is not, and everybody is watched equally long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from transforms.contracts import MART_FUNNEL_DRIVERS, MART_FUNNEL_ENTRANT_GROUPS, MART_FUNNEL_ENTRANTS
from transforms.drivers import firth, funnel_drivers, landmark
from transforms.journey import Funnel

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
FUNNEL = Funnel.model_validate(
    {"name": "buy", "steps": [{"event": "view"}, {"event": "order"}], "window": "7d", "breakdowns": ["device"]}
)


def entrant(unit: str, converted_after: float | None, *, entered: float = 0, **columns: Any) -> dict[str, Any]:
    """The first attempt of a unit; times in days."""
    at = ZERO + timedelta(days=entered)
    done = None if converted_after is None else at + timedelta(days=converted_after)
    return {"funnel": "buy", "unit_id": unit, "customer_id": unit, "entered_at": at, "entry_source": "web", "entry_event_id": unit,
            "step_times": [at, done], "depth": 1 if done is None else 2, "status": "dropped" if done is None else "converted",
            "closes_at": at + timedelta(days=7), "is_first": True, "breakdown": "device", **columns}  # fmt: skip


def drivers(
    rows: list[dict[str, Any]], behaviour: list[tuple[str, str, int]], *, horizon: float = 30, funnel: Funnel = FUNNEL
) -> pl.DataFrame:
    frame = pl.LazyFrame(rows, infer_schema_length=None)
    entrants, groups = (table.conform(frame).collect() for table in (MART_FUNNEL_ENTRANTS, MART_FUNNEL_ENTRANT_GROUPS))
    did = pl.DataFrame(behaviour, schema={"unit_id": pl.String, "event": pl.String, "events": pl.Int64}, orient="row")
    found = funnel_drivers(entrants, groups, did, funnel=funnel, horizon=ZERO + timedelta(days=horizon))
    return MART_FUNNEL_DRIVERS.check(found)


def world(chance: np.random.Generator, *, effect: float, size: int = 400) -> pl.DataFrame:
    """Busy units do more of everything and convert more; `help` itself changes the odds by `effect` (log)."""
    busy = chance.normal(size=size)
    does = {name: chance.random(size) < 1 / (1 + np.exp(0.5 - busy)) for name in ("help", "search", "chat", "login")}
    browsing = chance.poisson(np.exp(1 + 0.7 * busy))
    odds = -1.2 + 0.35 * np.log2(browsing + 1) + effect * does["help"]
    converts = chance.random(size) < 1 / (1 + np.exp(-odds))
    devices = np.where(chance.random(size) < 0.5, "phone", "desk")
    rows = [entrant(f"u{n}", 3 if converts[n] else None, value=devices[n]) for n in range(size)]
    behaviour = [(f"u{n}", name, 1) for name, done in does.items() for n in range(size) if done[n]]
    behaviour += [(f"u{n}", "page", int(browsing[n])) for n in range(size) if browsing[n]]
    return drivers(rows, behaviour)


# ---------------------------------------------------------------- what is planted


def test_a_null_driver_of_busy_people_is_found_in_at_most_one_run_of_twenty():
    chance = np.random.default_rng(11)
    runs = 120

    found = [world(chance, effect=0.0).filter(pl.col("driver") == "help")["stands_out"].item() for _ in range(runs)]

    assert sum(found) / runs <= 0.05


def test_a_real_driver_is_found_with_its_odds_in_the_interval():
    chance = np.random.default_rng(12)
    runs = 30

    told = pl.concat(world(chance, effect=1.5).filter(pl.col("driver") == "help") for _ in range(runs))

    assert told["stands_out"].mean() >= 0.9
    covered = told.select(pl.lit(float(np.exp(1.5))).is_between("odds_ratio_low", "odds_ratio_high"))
    assert covered.to_series().mean() >= 0.85


def test_a_property_that_sets_people_apart_is_a_driver_by_its_breakdown():
    rows = [entrant(f"p{n}", 3 if n < 60 else None, value="phone") for n in range(100)]
    rows += [entrant(f"d{n}", 3 if n < 20 else None, value="desk") for n in range(100)]

    told = drivers(rows, []).filter(pl.col("driver") == "phone").row(0, named=True)

    assert (told["kind"], told["with_units"], told["with_converted"], told["without_converted"]) == (
        "device",
        100,
        60,
        20,
    )
    assert told["odds_ratio"] == pytest.approx((60.5 * 80.5) / (40.5 * 20.5), abs=1e-6)
    assert told["stands_out"]


# ---------------------------------------------------------------- equal observation


def test_who_converted_by_the_landmark_or_may_still_convert_is_left_out():
    rows = [entrant(f"u{n}", 3 if n < 30 else None, value="phone" if n % 2 else "desk") for n in range(80)]
    early = [entrant(f"e{n}", 0.5, value="phone") for n in range(50)]
    open_ones = [entrant(f"o{n}", None, entered=25, value="phone") for n in range(50)]

    told = drivers([*rows, *early, *open_ones], [])

    assert landmark(FUNNEL) == timedelta(days=1)
    assert set(told["landmark_seconds"]) == {86_400}
    assert told.select(pl.col("with_units") + pl.col("without_units")).to_series().unique().to_list() == [80]


def test_steps_are_no_drivers():
    rows = [entrant(f"u{n}", 3 if n < 30 else None, value="desk") for n in range(80)]

    told = drivers(rows, [(f"u{n}", name, 1) for n in range(40) for name in ("view", "order", "help")])

    assert told["driver"].to_list() == ["help"]


@pytest.mark.parametrize(("window", "horizon"), [("none", 30), ("7d", 3)])
def test_without_a_window_or_closed_ones_there_are_none(window: str, horizon: float):
    rows = [entrant(f"u{n}", 2 if n < 30 else None, value="desk") for n in range(80)]
    asked = Funnel.model_validate({**FUNNEL.model_dump(by_alias=True), "window": window})

    assert drivers(rows, [(f"u{n}", "help", 1) for n in range(40)], horizon=horizon, funnel=asked).is_empty()


def test_too_few_on_a_side_are_not_judged():
    rows = [entrant(f"u{n}", 3 if n < 30 else None, value="desk") for n in range(80)]

    assert drivers(rows, [(f"u{n}", "help", 1) for n in range(19)]).is_empty()


def test_the_order_of_rows_changes_no_digit():
    chance = np.random.default_rng(2)
    rows = [
        entrant(f"u{n}", 3 if chance.random() < 0.3 else None, value="phone" if n % 3 else "desk") for n in range(200)
    ]
    behaviour = [(f"u{n}", name, 1 + n % 5) for n in range(200) for name in ("help", "chat") if chance.random() < 0.4]

    assert drivers(rows, behaviour).equals(drivers(rows[::-1], behaviour[::-1]))


# ---------------------------------------------------------------- the regression


@pytest.mark.parametrize("cells", [(10, 20, 30, 5), (0, 12, 9, 11), (7, 0, 0, 8)])
def test_one_factor_alone_gives_the_odds_ratio_with_a_half_in_each_cell(cells: tuple[int, int, int, int]):
    a, b, c, d = cells
    matrix = np.array([[1.0, 1.0], [1.0, 0.0]])

    fit = firth(matrix, np.array([a + b, c + d]), np.array([a, c]))

    half = [cell + 0.5 for cell in cells]
    assert fit.coefficients[1] == pytest.approx(np.log(half[0] * half[3] / (half[1] * half[2])), abs=1e-8)


def test_with_many_units_it_agrees_with_the_likelihood_of_statsmodels():
    statsmodels = pytest.importorskip("statsmodels.api", reason="needs the extra `bench`")
    chance = np.random.default_rng(4)
    matrix = np.column_stack([np.ones(20_000), chance.random(20_000) < 0.3, chance.integers(0, 6, 20_000)]).astype(
        float
    )
    done = chance.random(20_000) < 1 / (1 + np.exp(1.5 - 0.6 * matrix[:, 1] - 0.2 * matrix[:, 2]))

    fit = firth(matrix, np.ones(20_000), done)

    peer = statsmodels.Logit(done.astype(float), matrix).fit(disp=0)
    assert fit.coefficients == pytest.approx(peer.params, abs=2e-3)
    assert fit.errors == pytest.approx(peer.bse, rel=1e-3)
