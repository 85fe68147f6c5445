"""Statistics against statsmodels and lifelines, and what they promise, by enumeration and simulation.

The peers come with the extra `bench`; without it their tests are passed over.
"""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from transforms.statistics import (
    benjamini_hochberg,
    compared_rates,
    competing_outcomes,
    kaplan_meier,
    newcombe,
    pooled_z,
    survival_curve,
    two_sided_p,
    wilson,
)

COUNTS = [(0, 1), (1, 1), (0, 20), (3, 10), (7, 20), (20, 20), (81, 263), (15, 148), (1, 29), (999, 1000), (5, 40_000)]
GRID = np.linspace(0.02, 0.98, 193)


def intervals(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's intervals of 0 to `size` of `size`."""
    counts = pl.DataFrame({"n": range(size + 1), "d": [size] * (size + 1)})
    low, high = wilson("n", "d")
    ends = counts.select(low=low, high=high)
    return ends["low"].to_numpy(), ends["high"].to_numpy()


# ---------------------------------------------------------------- peers


@pytest.mark.parametrize("counts", COUNTS)
def test_wilson_agrees_with_statsmodels(counts: tuple[int, int]):
    proportion = pytest.importorskip("statsmodels.stats.proportion", reason="needs the extra `bench`")

    low, high = (pl.select(end.alias("end")).item() for end in wilson(*map(pl.lit, counts)))

    assert (low, high) == pytest.approx(proportion.proportion_confint(*counts, method="wilson"), abs=1e-9)


@pytest.mark.parametrize("here", COUNTS[2:])
@pytest.mark.parametrize("there", COUNTS[2:])
def test_newcombe_and_the_z_test_agree_with_statsmodels(here: tuple[int, int], there: tuple[int, int]):
    proportion = pytest.importorskip("statsmodels.stats.proportion", reason="needs the extra `bench`")
    counts = [pl.lit(count) for count in (*here, *there)]

    low, high = newcombe(*counts)
    z = pl.select(z=pooled_z(*counts))["z"]

    expected = proportion.confint_proportions_2indep(*here, *there, method="newcomb", compare="diff")
    assert pl.select(low=low, high=high).row(0) == pytest.approx(expected, abs=1e-9)
    if z[0] is not None:
        _, p_value = proportion.proportions_ztest([here[0], there[0]], [here[1], there[1]])
        assert two_sided_p(z)[0] == pytest.approx(p_value, abs=1e-9)


def test_benjamini_hochberg_agrees_with_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="needs the extra `bench`")
    chance = np.random.default_rng(1)
    for size in (1, 2, 10, 200):
        p = chance.uniform(size=size) ** 3

        found = pl.DataFrame({"p": p}).select(benjamini_hochberg(pl.col("p")))["p"]

        assert found.to_numpy() == pytest.approx(multitest.multipletests(p, method="fdr_bh")[1], abs=1e-12)


def patients(seed: int, size: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Times with many ties, and which of two outcomes ended them (0: still open)."""
    chance = np.random.default_rng(seed)
    return chance.integers(1, 30, size), chance.choice([0, 1, 2], size, p=[0.4, 0.4, 0.2])


@pytest.mark.parametrize("seed", range(10))
def test_the_curve_and_greenwoods_error_agree_with_statsmodels(seed: int):
    duration = pytest.importorskip("statsmodels.duration.survfunc", reason="needs the extra `bench`")
    waited, outcome = patients(seed)
    times = pl.LazyFrame({"group": "all", "waited": waited, "is_event": outcome > 0})

    curve = survival_curve(times, by=["group"]).filter(pl.col("events") > 0).collect()

    peer = duration.SurvfuncRight(waited, outcome > 0)
    assert curve["waited"].to_list() == peer.surv_times.tolist()
    assert curve["share"].to_numpy() == pytest.approx(1 - peer.surv_prob, abs=1e-9)
    inside = curve["share"].to_numpy() < 1
    assert curve["error"].to_numpy()[inside] == pytest.approx(peer.surv_prob_se[inside], abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_the_curve_and_its_median_agree_with_lifelines(seed: int):
    lifelines = pytest.importorskip("lifelines", reason="needs the extra `bench`")
    waited, outcome = patients(seed)
    times = pl.LazyFrame({"group": "all", "waited": waited, "is_event": outcome > 0})

    found = kaplan_meier(times, by=["group"], at=20).collect().row(0, named=True)

    peer = lifelines.KaplanMeierFitter().fit(waited, outcome > 0)
    assert found["projected_rate"] == pytest.approx(1 - peer.predict(20), abs=1e-6)
    assert found["quantile_0.5"] == (peer.median_survival_time_ if peer.median_survival_time_ <= 20 else None)


@pytest.mark.parametrize("seed", range(10))
def test_competing_outcomes_agree_with_statsmodels_with_ties(seed: int):
    duration = pytest.importorskip("statsmodels.duration.survfunc", reason="needs the extra `bench`")
    waited, outcome = patients(seed)

    shares = outcome_shares(waited, outcome)

    peer = duration.CumIncidenceRight(waited, outcome)
    for number, name in ((1, "won"), (2, "lost")):
        there = dict(zip(peer.times.tolist(), peer.cinc[number - 1].tolist(), strict=True))
        for time, share in shares.filter(pl.col("outcome") == name).select("waited", "share").rows():
            assert share == pytest.approx(there[time], abs=2e-6)


def test_competing_outcomes_agree_with_lifelines_without_ties():
    lifelines = pytest.importorskip("lifelines", reason="needs the extra `bench`")
    waited, outcome = np.random.default_rng(3).permutation(np.arange(1, 121)), patients(3)[1]

    shares = outcome_shares(waited, outcome)

    for number, name in ((1, "won"), (2, "lost")):
        peer = lifelines.AalenJohansenFitter(calculate_variance=False).fit(waited, outcome, event_of_interest=number)
        for time, share in shares.filter(pl.col("outcome") == name).select("waited", "share").rows():
            assert share == pytest.approx(peer.cumulative_density_.loc[time].item(), abs=2e-6)


def outcome_shares(waited: np.ndarray, outcome: np.ndarray) -> pl.DataFrame:
    names = pl.Series(outcome).replace_strict({0: None, 1: "won", 2: "lost"}, return_dtype=pl.String)
    return competing_outcomes(
        pl.LazyFrame({"group": "all", "waited": waited, "outcome": names}), by=["group"]
    ).collect()


# ---------------------------------------------------------------- textbook figures, without a peer


def test_the_curve_of_the_textbook_of_leukaemia_remissions():
    # Freireich et al. (1963), 6-MP group; survival and its error at 6, 7, 10, 13, 16, 22, 23 weeks.
    waited = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    ended = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    times = pl.LazyFrame({"group": "6-MP", "waited": waited, "is_event": [bool(one) for one in ended]})

    curve = survival_curve(times, by=["group"]).filter(pl.col("events") > 0).collect()

    left = [
        (time, round(1 - share, 3), round(error, 3))
        for time, share, error in curve.select("waited", "share", "error").rows()
    ]
    assert left == [
        (6, 0.857, 0.076), (7, 0.807, 0.087), (10, 0.753, 0.096), (13, 0.690, 0.107), (16, 0.627, 0.114), (22, 0.538, 0.128),
        (23, 0.448, 0.135),
    ]  # fmt: skip


# ---------------------------------------------------------------- promises


@pytest.mark.parametrize("size", [10, 20, 30, 50, 100, 200, 500])
def test_wilson_covers_the_truth_95_times_in_100_within_a_point_and_a_half(size: int):
    low, high = intervals(size)
    chances = binom.pmf(np.arange(size + 1)[:, None], size, GRID[None, :])

    covered = (chances * ((low[:, None] <= GRID) & (high[:, None] >= GRID))).sum(axis=0)

    assert abs(covered.mean() - 0.95) < 0.015


@pytest.mark.parametrize(("here", "there"), [(30, 30), (50, 20), (100, 40)])
def test_newcombe_covers_the_true_difference_95_times_in_100_within_a_point_and_a_half(here: int, there: int):
    pairs = pl.DataFrame({"n": range(here + 1)}).join(pl.DataFrame({"m": range(there + 1)}), how="cross")
    low, high = newcombe("n", pl.lit(here), "m", pl.lit(there))
    ends = pairs.with_columns(low=low, high=high)
    covered = []
    for p in (0.05, 0.1, 0.3, 0.5, 0.8):
        for q in (0.05, 0.2, 0.5, 0.7, 0.9):
            chance = binom.pmf(ends["n"].to_numpy(), here, p) * binom.pmf(ends["m"].to_numpy(), there, q)
            inside = (ends["low"].to_numpy() <= p - q) & (p - q <= ends["high"].to_numpy())
            covered.append((chance * inside).sum())

    assert abs(np.mean(covered) - 0.95) < 0.015


def test_where_nothing_differs_few_groups_stand_out():
    chance = np.random.default_rng(5)
    runs, groups = 400, 10
    false_alarms = 0
    for _ in range(runs):
        pairs = pl.DataFrame(
            {
                "a": chance.binomial(200, 0.2, groups),
                "b": [200] * groups,
                "c": chance.binomial(200, 0.2, groups),
                "d": [200] * groups,
            }
        )
        false_alarms += compared_rates(pairs, counts=("a", "b", "c", "d"), enough=("b", "d"))["stands_out"].any()

    assert false_alarms / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


def test_the_projection_finds_the_true_share_within_its_error():
    # Everybody waits exponentially; who came late is watched for a shorter time.
    chance = np.random.default_rng(7)
    runs, size = 300, 200
    truth = 1 - np.exp(-14 / 20)
    inside = 0
    for _ in range(runs):
        waits = np.ceil(chance.exponential(20, size) * 1_000).astype(int)
        watched = chance.integers(2_000, 28_000, size)
        times = pl.LazyFrame({"group": "all", "waited": np.minimum(waits, watched), "is_event": waits <= watched})
        found = kaplan_meier(times, by=["group"], at=14_000).collect().row(0, named=True)
        inside += abs(found["projected_rate"] - truth) <= 1.96 * found["projected_error"]

    assert abs(inside / runs - 0.95) < 0.04
