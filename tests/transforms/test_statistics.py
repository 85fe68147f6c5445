import json
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import CensoredData, ecdf, false_discovery_control
from scipy.stats.contingency import chi2_contingency

from transforms.statistics import (
    against_the_rest,
    benjamini_hochberg,
    change_by_step,
    competing_outcomes,
    dispersion,
    exported,
    kaplan_meier,
    mix_and_rate,
    newcombe,
    pooled_z,
    rate,
    survival_curve,
    too_few,
    two_sided_p,
    wilson,
)

CASES = Path(__file__).resolve().parents[2] / ".." / "shared" / "cases" / "trap_other.json"
subjects = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=40)


def interval(numerator: int, denominator: int) -> tuple[float, float]:
    low, high = wilson(pl.lit(numerator), pl.lit(denominator))
    return pl.select(low=exported(low), high=exported(high)).row(0)


def watched(*times: tuple[int, bool]) -> pl.LazyFrame:
    schema = {"waited": pl.Int64, "is_event": pl.Boolean}
    return pl.LazyFrame(list(times), schema=schema, orient="row").with_columns(group=pl.lit("all"))


@pytest.mark.parametrize(
    "counts", [[(3, 10), (7, 12), (2, 20)], [(30, 100), (31, 100), (29, 100)], [(90, 100), (5, 100)]]
)
def test_dispersion_is_pearsons_chi_square_over_its_degrees_of_freedom_and_1_or_more(counts):
    table = [[part for part, _ in counts], [whole - part for part, whole in counts]]
    groups = pl.DataFrame(counts, schema=["part", "whole"], orient="row")
    sums = groups.select(
        squares=(pl.col("part") ** 2 / pl.col("whole")).sum(), part=pl.col("part").sum(), whole=pl.col("whole").sum()
    )

    found = sums.select(dispersion("squares", "part", "whole", pl.lit(len(counts)))).item()

    assert found == pytest.approx(max(1.0, chi2_contingency(table, correction=False).statistic / (len(counts) - 1)))


@pytest.mark.parametrize(
    ("squares", "part", "whole", "groups"), [(0.0, 0, 30, 3), (30.0, 30, 30, 3), (2.5, 5, 10, 1), (0.0, 0, 0, 0)]
)
def test_where_nothing_varies_dispersion_is_1(squares, part, whole, groups):
    assert pl.select(dispersion(*(pl.lit(each) for each in (squares, part, whole, groups)))).item() == 1.0


def test_what_is_exported_is_never_a_negative_zero():
    values = pl.DataFrame({"a": [-4e-8, -0.0, None, -1.5], "b": [0.0, 4e-8, 1.0, 2.0]})

    eager = values.select(exported(pl.col(pl.Float64)))
    lazy = values.lazy().select(exported(pl.col(pl.Float64))).collect()

    assert [str(value) for value in eager["a"]] == ["0.0", "0.0", "None", "-1.5"]
    assert [str(value) for value in lazy["a"]] == ["0.0", "0.0", "None", "-1.5"]
    assert eager.columns == ["a", "b"]


# ---------------------------------------------------------------- rates


@pytest.mark.parametrize(
    ("counts", "percent"), [((3, 10), (10.8, 60.3)), ((0, 20), (0.0, 16.1)), ((30, 100), (21.9, 39.6))]
)
def test_wilson_gives_the_published_intervals(counts, percent):
    low, high = interval(*counts)

    assert (round(100 * low, 1), round(100 * high, 1)) == percent


@given(st.integers(1, 500).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size))))
def test_wilson_holds_the_rate_and_stays_between_0_and_1(counts):
    low, high = interval(*counts)

    assert 0 <= low <= counts[0] / counts[1] + 1e-6
    assert counts[0] / counts[1] - 1e-6 <= high <= 1


def test_a_rate_of_nothing_is_null_with_null_ends():
    low, high = wilson("reached", "entered")
    counts = pl.DataFrame({"reached": [0], "entered": [0]}, schema={"reached": pl.UInt32, "entered": pl.UInt32})

    assert counts.select(rate=rate("reached", "entered"), low=low, high=high).row(0) == (None, None, None)


def test_newcombe_gives_the_published_interval_of_a_difference():
    low, high = newcombe(pl.lit(56), pl.lit(70), pl.lit(48), pl.lit(80))

    assert pl.select(low=low.round(4), high=high.round(4)).row(0) == (0.0524, 0.3339)


def test_under_twenty_is_too_few():
    assert pl.DataFrame({"entered": [19, 20]}).select(too_few("entered"))["entered"].to_list() == [True, False]


def test_pooled_z_agrees_with_the_chi_square_of_scipy():
    z = pl.select(z=pooled_z(pl.lit(30), pl.lit(100), pl.lit(63), pl.lit(105)))["z"]

    expected = chi2_contingency([[30, 70], [63, 42]], correction=False).pvalue

    assert two_sided_p(z)[0] == pytest.approx(expected, rel=1e-9)


def test_where_nothing_varies_there_is_no_z():
    assert pl.select(pooled_z(pl.lit(0), pl.lit(30), pl.lit(0), pl.lit(40))).item() is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_benjamini_hochberg_agrees_with_scipy(p):
    adjusted = pl.DataFrame({"p": p}).select(benjamini_hochberg(pl.col("p")))["p"].to_list()

    assert adjusted == pytest.approx(false_discovery_control(p).tolist())


def test_a_missing_p_value_is_no_test():
    adjusted = pl.DataFrame({"p": [0.02, None, 0.04]}).select(benjamini_hochberg(pl.col("p")))["p"].to_list()

    assert adjusted == [0.04, None, 0.04]


def test_each_group_is_compared_with_all_others_together():
    groups = pl.DataFrame({"value": ["a", "b", "c"], "reached": [30, 60, 3], "entered": [100, 100, 5]})

    compared = against_the_rest(groups)

    assert compared.select("rest_reached", "rest_entered", "stands_out").rows() == [
        (63, 105, True),
        (33, 105, True),
        (90, 200, False),
    ]
    assert compared["p_value"][2] is None


# ---------------------------------------------------------------- time until something happens


def test_the_example_of_the_semantics_is_projected_to_40_percent():
    old = [(1, True), (2, True), (9, True), (12, True), *[(14, False)] * 6]
    new = [(1, True), (2, True), *[(3, False)] * 8]

    projected = kaplan_meier(watched(*old, *new), by=["group"], at=14).collect().row(0, named=True)

    assert (projected["projected_rate"], projected["projected_error"]) == (0.4, 0.139642)


def test_the_example_agrees_with_the_shared_case():
    if not CASES.exists():
        pytest.skip("shared cases are absent")
    expected = next(case for case in json.loads(CASES.read_text()) if case["id"] == "trap_T8_right_censoring")[
        "expected"
    ]

    assert (expected["kaplan_meier_rate"], expected["kaplan_meier_se"]) == (0.4, round(0.139642, 4))


@given(subjects)
def test_the_curve_agrees_with_scipy(times):
    curve = survival_curve(watched(*times), by=["group"]).filter(pl.col("events") > 0).collect()

    found = ecdf(CensoredData(uncensored=[t for t, done in times if done], right=[t for t, done in times if not done]))
    reached = {
        t: 1 - value for t, value in zip(found.sf.quantiles.tolist(), found.sf.probabilities.tolist(), strict=True)
    }

    for waited, share in curve.select("waited", "share").rows():
        assert share == pytest.approx(reached[waited], abs=1e-9)


@given(subjects)
def test_greenwoods_error_agrees_with_its_formula(times):
    curve = survival_curve(watched(*times), by=["group"]).collect()

    total, still = 0.0, 1.0
    for at_risk, events, error in curve.select("at_risk", "events", "error").rows():
        still *= 1 - events / at_risk
        total += events / (at_risk * (at_risk - events)) if at_risk > events else 0.0
        assert error == pytest.approx(still * math.sqrt(total), abs=1e-9)


def test_at_equal_times_events_come_before_censorings():
    curve = survival_curve(watched((5, True), (5, False)), by=["group"]).collect()

    assert curve.select("at_risk", "share").rows() == [(2, 0.5)]


def test_a_quantile_is_the_smallest_time_at_which_the_share_is_reached():
    times = watched((1, True), (2, True), (3, True), (4, False))

    found = kaplan_meier(times, by=["group"], at=10, quantiles=(0.5, 0.9)).collect().row(0, named=True)

    assert (found["quantile_0.5"], found["quantile_0.9"]) == (2, None)


def test_events_after_the_moment_asked_for_do_not_count():
    found = kaplan_meier(watched((1, True), (8, True)), by=["group"], at=7).collect().row(0, named=True)

    assert (found["projected_rate"], found["quantile_0.5"]) == (0.5, 1)


def test_the_order_of_the_subjects_changes_nothing():
    times = watched((3, True), (1, False), (3, False), (2, True))

    forth, back = (kaplan_meier(frame, by=["group"], at=9).collect() for frame in (times, times.reverse()))

    assert_frame_equal(forth, back)


def test_nobody_watched_gives_no_curve():
    assert kaplan_meier(watched(), by=["group"], at=9).collect().is_empty()


def test_competing_outcomes_and_those_still_open_sum_to_one():
    times = pl.LazyFrame(
        {"group": ["all"] * 5, "waited": [1, 2, 2, 3, 4], "outcome": ["won", "lost", None, "won", "won"]},
    )

    shares = competing_outcomes(times, by=["group"]).collect()

    assert shares.select("outcome", "waited", "share").rows() == [
        ("lost", 2, 0.2),
        ("won", 1, 0.2),
        ("won", 3, 0.5),
        ("won", 4, 0.8),
    ]


# ---------------------------------------------------------------- why a rate changed


def test_mix_and_rate_sum_to_the_change():
    groups = pl.LazyFrame(
        {
            "reached_before": [10, 4],
            "entered_before": [100, 10],
            "reached_after": [12, 30],
            "entered_after": [80, 60],
        }
    )

    parts = mix_and_rate(groups).select(pl.col("mix").sum() + pl.col("rate").sum()).collect().item()

    assert parts == pytest.approx(42 / 140 - 14 / 110)


def test_a_group_that_is_new_is_all_mix():
    groups = pl.LazyFrame(
        {"reached_before": [1, 0], "entered_before": [4, 0], "reached_after": [2, 5], "entered_after": [4, 10]}
    )

    assert mix_and_rate(groups).collect()["rate"][1] == 0


def test_the_parts_of_the_steps_sum_to_the_change():
    steps = pl.LazyFrame({"step_number": [1, 2, 3], "reached_before": [100, 50, 20], "reached_after": [80, 60, 30]})

    assert change_by_step(steps).collect()["part"].sum() == pytest.approx(30 / 80 - 20 / 100)


def test_a_step_that_nobody_reached_takes_the_whole_change():
    steps = pl.LazyFrame({"step_number": [1, 2, 3], "reached_before": [100, 50, 20], "reached_after": [80, 0, 0]})

    assert change_by_step(steps).collect()["part"].to_list() == [0, -0.2, 0]
