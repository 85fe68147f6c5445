import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms.attribution import SCALE, attribution, attribution_markov, decay_weight, journey_paths, markov_credit
from transforms.contracts import CORE_EVENTS, CORE_TOUCHES, MART_ATTRIBUTION, MART_ATTRIBUTION_MARKOV

PATHS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "channel_paths_10k"
DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
channels = st.sampled_from(["Direct", "Email", "Paid Search"])
walks = st.lists(st.tuples(st.sampled_from(["ann", "bob"]), channels, st.integers(0, 60)), max_size=12)


def day(number: float) -> datetime:
    return DAY_0 + timedelta(days=number)


def touches(*contacts: tuple[str, str, float]) -> pl.LazyFrame:
    """CORE_TOUCHES of (customer, channel, day), numbered in order of time."""
    schema = {"customer_id": pl.String, "channel": pl.String, "day": pl.Float64}
    frame = pl.LazyFrame(
        [(who, channel, float(at)) for who, channel, at in contacts], schema=schema, orient="row"
    ).sort("day")
    return CORE_TOUCHES.conform(
        frame.with_columns(
            touched_at=pl.lit(DAY_0) + pl.duration(microseconds=pl.col("day") * 86_400_000_000),
            touch_number=pl.int_range(1, pl.len() + 1).over("customer_id"),
        )
    )


def sales(*conversions: tuple[str, float]) -> pl.LazyFrame:
    """CORE_EVENTS of (customer, day), all conversions."""
    rows = [
        {"customer_id": who, "source": "shop", "event_id": f"order{number}", "occurred_at": day(at)}
        for number, (who, at) in enumerate(conversions)
    ]
    schema = {name: CORE_EVENTS.schema[name] for name in ("customer_id", "source", "event_id", "occurred_at")}
    frame = pl.LazyFrame(rows, schema=schema)
    return CORE_EVENTS.conform(
        frame.with_columns(is_conversion=True, is_counted=True, value_minor=1000, currency=pl.lit("EUR"))
    )


def credit(model: str, contacts: pl.LazyFrame, conversions: pl.LazyFrame) -> list[tuple[int, str, int]]:
    shared = attribution(contacts, conversions).filter(pl.col("model") == model).collect()
    return shared.select("touch_number", "channel", "credit_ppm").rows()


FOUR = touches(("ann", "Display", 1), ("ann", "Email", 8), ("ann", "Paid Search", 15), ("ann", "Direct", 22))
SALE = sales(("ann", 29))


@pytest.mark.parametrize(
    ("model", "shares"),
    [
        ("first", [(1, "Display", 1_000_000)]),
        ("last", [(4, "Direct", 1_000_000)]),
        ("last_non_direct", [(3, "Paid Search", 1_000_000)]),
        (
            "linear",
            [(1, "Display", 250_000), (2, "Email", 250_000), (3, "Paid Search", 250_000), (4, "Direct", 250_000)],
        ),
        (
            "time_decay",
            [(1, "Display", 66_668), (2, "Email", 133_333), (3, "Paid Search", 266_666), (4, "Direct", 533_333)],
        ),
        (
            "position",
            [(1, "Display", 400_000), (2, "Email", 100_000), (3, "Paid Search", 100_000), (4, "Direct", 400_000)],
        ),
    ],
)
def test_a_model_shares_four_weekly_touches(model, shares):
    assert credit(model, FOUR, SALE) == shares


def test_what_flooring_leaves_goes_to_the_first_touch():
    three = touches(("ann", "A", 1), ("ann", "B", 2), ("ann", "C", 3))

    assert credit("linear", three, sales(("ann", 4))) == [(1, "A", 333_334), (2, "B", 333_333), (3, "C", 333_333)]


def test_two_touches_share_position_by_halves():
    two = touches(("ann", "A", 1), ("ann", "B", 2))

    assert credit("position", two, sales(("ann", 4))) == [(1, "A", 500_000), (2, "B", 500_000)]


def test_all_direct_is_direct():
    two = touches(("ann", "Direct", 1), ("ann", "Direct", 2))

    assert credit("last_non_direct", two, sales(("ann", 4))) == [(2, "Direct", 1_000_000)]


def test_a_touch_at_the_instant_of_the_conversion_is_too_late():
    two = touches(("ann", "A", 1), ("ann", "B", 4))

    assert credit("last", two, sales(("ann", 4))) == [(1, "A", 1_000_000)]


@pytest.mark.parametrize(("at", "found"), [(0, (1, "A")), (-0.001, (0, "(none)"))])
def test_the_lookback_is_thirty_days_inclusive(at, found):
    assert credit("first", touches(("ann", "A", at)), sales(("ann", 30))) == [(*found, 1_000_000)]


def test_a_conversion_without_touches_is_credited_to_none():
    shared = attribution(touches(("bob", "A", 1)), SALE).collect()

    assert shared.select("touch_number", "channel", "credit_ppm").unique().rows() == [(0, "(none)", 1_000_000)]
    assert shared.height == 6


def test_an_earlier_conversion_does_not_cut_the_path():
    two = touches(("ann", "A", 1), ("ann", "B", 3))

    assert credit("first", two, sales(("ann", 2), ("ann", 4))) == [(1, "A", 1_000_000), (1, "A", 1_000_000)]


def test_robots_do_not_convert():
    robots = SALE.with_columns(is_counted=pl.lit(False))

    assert attribution(FOUR, robots).collect().is_empty()


@settings(deadline=None)
@given(walks, st.lists(st.tuples(st.sampled_from(["ann", "bob", "eve"]), st.integers(0, 60)), max_size=4))
def test_credit_sums_to_one_million_per_conversion_and_model(contacts, conversions):
    shared = MART_ATTRIBUTION.check(attribution(touches(*contacts), sales(*conversions)).collect())

    sums = shared.group_by("conversion_event_id", "model").agg(pl.col("credit_ppm").sum())
    assert sums.height == 6 * len(conversions)
    assert sums["credit_ppm"].unique().to_list() in ([], [1_000_000])


def test_the_order_of_rows_changes_nothing():
    conversions = sales(("ann", 29), ("ann", 12))

    assert_frame_equal(
        attribution(FOUR, conversions).collect(), attribution(FOUR.reverse(), conversions.reverse()).collect()
    )


@settings(deadline=None)
@given(st.integers(0, 60 * 86_400_000_000))
def test_the_decay_in_integers_is_the_power_of_one_half(age):
    weight = pl.select(decay_weight(pl.lit(age), half_life=WEEK).cast(pl.Float64) / SCALE).item()

    assert weight == pytest.approx(0.5 ** (age / (WEEK / timedelta(microseconds=1))), rel=1e-11)


def test_a_path_of_many_half_lives_keeps_its_newest_touch():
    old = touches(("ann", "A", 1), ("ann", "B", 29))

    shared = attribution(old, sales(("ann", 30)), half_life=timedelta(hours=1)).filter(pl.col("model") == "time_decay")

    assert shared.select("channel", "credit_ppm").collect().rows() == [("B", 1_000_000)]


# ---------------------------------------------------------------- Markov


def test_markov_gives_the_check_of_the_semantics():
    paths = pl.DataFrame(
        {
            "path": [["ads", "email"], ["ads"], ["email", "ads", "email"], ["seo"], ["seo", "email"]],
            "conversions": [1, 0, 1, 0, 1],
            "nulls": [0, 1, 0, 1, 0],
        }
    )

    found = markov_credit(paths)

    assert found.select("channel", "removal_effect", pl.col("credit").round(3)).rows() == [
        ("ads", 0.5, 0.278),
        ("email", 1.0, 0.556),
        ("seo", 0.3, 0.167),
    ]
    assert found["conversions"].sum() == pytest.approx(3, abs=1e-5)


def test_markov_agrees_with_the_published_paths():
    if not PATHS.exists():
        pytest.skip("shared data is absent")
    expected = json.loads((PATHS / "figures.json").read_text())
    paths = pl.read_csv(PATHS / "paths.csv.gz").select(
        path=pl.col("path").str.split(" > "), conversions="total_conversions", nulls="total_null"
    )

    found = markov_credit(paths)

    assert dict(found.select("channel", "removal_effect").rows()) == pytest.approx(
        expected["markov1_removal_effect"], abs=2e-6
    )
    assert dict(found.select("channel", "conversions").rows()) == pytest.approx(
        expected["markov1_conversions_exact"], abs=1e-3
    )


def test_removal_over_touches_and_conversions_agrees_with_the_published_paths():
    if not PATHS.exists():
        pytest.skip("shared data is absent")
    expected = json.loads((PATHS / "figures.json").read_text())
    contacts, conversions = walked(
        pl.read_csv(PATHS / "paths.csv.gz").select(
            path=pl.col("path").str.split(" > "), conversions="total_conversions", nulls="total_null"
        )
    )

    found = attribution_markov(contacts, conversions).filter(pl.col("conversion") == "(all)")

    assert found.select("all_journeys", "all_conversions").unique().rows() == [(19_785 + 68_602, 19_785)]
    assert dict(found.select("channel", "conversions").rows()) == pytest.approx(
        expected["markov1_conversions_exact"], abs=1e-3
    )


def walked(paths: pl.DataFrame) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """CORE_TOUCHES and CORE_EVENTS of customers who go each path as often as it says, a touch a minute."""
    often = pl.concat(
        paths.select("path", has_converted=pl.lit(column == "conversions"), often=column)
        for column in ("conversions", "nulls")
    )
    each = often.select(pl.all().exclude("often").repeat_by("often")).explode("path", "has_converted").drop_nulls()
    each = each.with_row_index("who").with_columns(customer_id=pl.format("c{}", "who"))
    steps = each.select("customer_id", channel="path").explode("channel")
    minute = pl.int_range(1, pl.len() + 1).over("customer_id")
    touched = steps.with_columns(touch_number=minute, touched_at=pl.lit(DAY_0) + pl.duration(minutes=minute))
    bought = each.filter("has_converted").select(
        "customer_id", event_id="customer_id", occurred_at=pl.lit(day(1)), event=pl.lit("sale"), source=pl.lit("shop")
    )
    events = bought.with_columns(is_conversion=True, is_counted=True)
    return CORE_TOUCHES.conform(touched.lazy()), CORE_EVENTS.conform(events.lazy())


def test_without_conversions_nobody_has_markov_credit():
    paths = pl.DataFrame({"path": [["ads"]], "conversions": [0], "nulls": [3]})

    assert markov_credit(paths).rows() == [("ads", 0.0, 0.0, 0.0)]


def test_paths_are_cut_where_they_convert():
    contacts = touches(("ann", "A", 1), ("ann", "B", 3), ("ann", "B", 4), ("ann", "C", 9), ("bob", "A", 1))

    paths = journey_paths(contacts, sales(("ann", 2), ("ann", 5), ("eve", 5))).collect()

    assert sorted(paths.rows()) == [
        (["(none)"], 1, 0),
        (["A"], 1, 1),
        (["B", "B"], 1, 0),
        (["C"], 0, 1),
    ]


def test_touches_before_the_lookback_are_on_no_path():
    assert journey_paths(touches(("ann", "A", 0)), sales(("ann", 31))).collect().rows() == [(["(none)"], 1, 0)]


def test_removal_is_told_for_each_conversion_event_and_for_all_together():
    contacts = touches(("ann", "A", 1), ("ann", "B", 3), ("bob", "B", 1))
    orders = sales(("ann", 2)).with_columns(event=pl.lit("order_placed"))
    deals = sales(("ann", 5)).with_columns(event=pl.lit("deal_won"), event_id=pl.lit("deal0"))

    found = MART_ATTRIBUTION_MARKOV.check(attribution_markov(contacts, pl.concat([orders, deals])))

    counts = ("conversion", "channel", "journeys", "converted_journeys", "all_journeys", "all_conversions")
    assert found.select(*counts, "removal_effect", "conversions").rows() == [
        ("(all)", "A", 1, 1, 3, 2, 0.5, 1.0),
        ("(all)", "B", 2, 1, 3, 2, 0.5, 1.0),
        ("deal_won", "A", 1, 1, 2, 1, 0.5, 0.333333),
        ("deal_won", "B", 2, 1, 2, 1, 1.0, 0.666667),
        ("order_placed", "A", 1, 1, 3, 1, 1.0, 1.0),
        ("order_placed", "B", 2, 0, 3, 1, 0.0, 0.0),
    ]


def test_without_conversions_there_is_no_removal_to_tell():
    assert attribution_markov(touches(("ann", "A", 1)), sales()).is_empty()
