"""Statistics: how sure a rate is, what it will become, and whether a difference is more than chance.

Everything here works on counts; the formulas are those of semantics.md §9. Counts stay integers until the one division,
floats are summed over a sorted frame, and `exported` rounds them for tables and pages.
"""

import math
from collections.abc import Sequence

import polars as pl

Z95 = 1.959963984540054
FEW = 20
FALSE_DISCOVERY_RATE = 0.05

Count = pl.Expr | str


def exported(value: pl.Expr) -> pl.Expr:
    """A float as tables and pages show it: rounded half-even to 6 decimals, never a negative zero."""
    rounded = value.round(6, mode="half_to_even")
    return pl.when(rounded == 0).then(rounded.abs()).otherwise(rounded)


def too_few(denominator: Count) -> pl.Expr:
    """True where the denominator is under 20: counts and interval are shown, the percentage is not."""
    return _count(denominator) < FEW


def rate(numerator: Count, denominator: Count) -> pl.Expr:
    """Numerator over denominator; null where the denominator is 0 or missing."""
    below = _count(denominator)
    return pl.when(below > 0).then(_count(numerator) / below)


def wilson(numerator: Count, denominator: Count) -> tuple[pl.Expr, pl.Expr]:
    """Low and high end of the Wilson score interval (95 %) of a rate; null where the denominator is 0.

    Source: Wilson (1927), without continuity correction. 3 of 10 gives 0.108 and 0.603.
    """
    size = _count(denominator).cast(pl.Float64)
    share = rate(numerator, denominator)
    scale = 1 + Z95**2 / size
    middle = (share + Z95**2 / (2 * size)) / scale
    margin = Z95 * (share * (1 - share) / size + Z95**2 / (4 * size**2)).sqrt() / scale
    return (middle - margin).clip(0.0, 1.0), (middle + margin).clip(0.0, 1.0)


def newcombe(
    numerator: Count, denominator: Count, other_numerator: Count, other_denominator: Count
) -> tuple[pl.Expr, pl.Expr]:
    """Low and high end of the interval (95 %) of the first rate minus the other.

    Source: Newcombe (1998), method 10: the two Wilson intervals combined.
    """
    here, there = rate(numerator, denominator), rate(other_numerator, other_denominator)
    low, high = wilson(numerator, denominator)
    other_low, other_high = wilson(other_numerator, other_denominator)
    below = ((here - low) ** 2 + (other_high - there) ** 2).sqrt()
    above = ((high - here) ** 2 + (there - other_low) ** 2).sqrt()
    return here - there - below, here - there + above


def pooled_z(numerator: Count, denominator: Count, other_numerator: Count, other_denominator: Count) -> pl.Expr:
    """The two-proportion z statistic with pooled variance; null where a denominator is 0 or nothing varies."""
    here, there = _count(denominator).cast(pl.Float64), _count(other_denominator).cast(pl.Float64)
    pooled = (_count(numerator) + _count(other_numerator)) / (here + there)
    error = (pooled * (1 - pooled) * (1 / here + 1 / there)).sqrt()
    difference = rate(numerator, denominator) - rate(other_numerator, other_denominator)
    return pl.when((error > 0) & error.is_finite()).then(difference / error)


def dispersion(squares: Count, numerator: Count, denominator: Count, groups: Count) -> pl.Expr:
    """How much more a rate moves between groups than chance alone would, 1 or more; `squares` sums numerator² / denominator over them.

    Pearson's chi-square of the groups around their pooled rate over its degrees of freedom; 1 for one group, and where nothing varies.
    Source: McCullagh and Nelder (1989), 4.5, quasi-likelihood.
    """
    share = rate(numerator, denominator)
    chi_square = (_count(squares) - share * _count(numerator)) / (share * (1 - share))
    varies = share.is_between(0, 1, closed="none") & (_count(groups) > 1)
    return pl.when(varies).then(chi_square / (_count(groups) - 1)).fill_null(1.0).clip(lower_bound=1.0)


def two_sided_p(z: pl.Series) -> pl.Series:
    """Chance of a value at least this far from 0 under the standard normal; null stays null. For small frames."""
    chances = [None if value is None else math.erfc(abs(value) / math.sqrt(2)) for value in z]
    return pl.Series(z.name, chances, dtype=pl.Float64)


def benjamini_hochberg(p: pl.Expr) -> pl.Expr:
    """Each p value adjusted for how many were looked at; at or under 0.05 is a finding at that false discovery rate.

    Null stays null and is not counted as a test. Source: Benjamini and Hochberg (1995), step-up.
    """
    largest_first = p.sort(descending=True, nulls_last=True)
    rank = p.count() - pl.int_range(p.len())
    adjusted = (largest_first * p.count() / rank).cum_min().clip(upper_bound=1.0)
    return adjusted.gather(p.rank("ordinal", descending=True) - 1)


def against_the_rest(groups: pl.DataFrame, *, reached: str = "reached", entered: str = "entered") -> pl.DataFrame:
    """Compare each group of one breakdown with all its other groups together.

    In:  one row per group with its two counts.
    Out: the same rows in the same order, with rest_reached, rest_entered and what `compared_rates` adds.
    """
    here, all_here = pl.col(reached).cast(pl.Int64), pl.col(entered).cast(pl.Int64)
    rest = groups.with_columns(rest_reached=here.sum() - here, rest_entered=all_here.sum() - all_here)
    return compared_rates(
        rest, counts=(reached, entered, "rest_reached", "rest_entered"), enough=(entered, "rest_entered")
    )


def compared_rates(pairs: pl.DataFrame, *, counts: tuple[str, str, str, str], enough: tuple[str, str]) -> pl.DataFrame:
    """Compare two rates a row.

    In:  numerator and denominator of each side (`counts`; of repeats, what they are worth), and the denominators as they
         are (`enough`).
    Out: the same rows in the same order, with difference, difference_low, difference_high (Newcombe), p_value (pooled
         two-proportion z; null where a side is under 20), q_value (p_value adjusted for the number of rows looked at) and
         stands_out (q_value at or under 0.05).
    """
    low, high = newcombe(*counts)
    is_enough = ~too_few(enough[0]) & ~too_few(enough[1])
    compared = pairs.with_columns(
        difference=exported(rate(*counts[:2]) - rate(*counts[2:])),
        difference_low=exported(low),
        difference_high=exported(high),
        p_value=pl.when(is_enough).then(pooled_z(*counts)),
    )
    judged = compared.with_columns(two_sided_p(compared["p_value"]))
    return judged.with_columns(
        exported(pl.col("p_value")),
        q_value=exported(benjamini_hochberg(pl.col("p_value"))),
        stands_out=(benjamini_hochberg(pl.col("p_value")) <= FALSE_DISCOVERY_RATE).fill_null(False),
    )


# ---------------------------------------------------------------- time until something happens


def survival_curve(
    times: pl.LazyFrame, *, by: Sequence[str], waited: str = "waited", is_event: str = "is_event"
) -> pl.LazyFrame:
    """The Kaplan-Meier curve of each group.

    In:  one row per subject: the columns of `by`, how long it was watched (an integer), whether the event ended it.
    Out: by, waited (ascending), at_risk, events, share (F: who had the event by then), error (Greenwood's, of F).

    At equal times events come before censorings: who is censored at t is still at risk at t.
    Source: Kaplan and Meier (1958); Greenwood (1926).
    """
    group = list(by)
    leaving, events, at_risk = pl.col("leaving"), pl.col("events"), pl.col("at_risk")
    staying = at_risk - events
    still_without = (staying / at_risk).cum_prod().over(group, order_by=waited)
    term = pl.when(staying > 0).then(events / (at_risk * staying)).otherwise(0.0)
    greenwood = term.cum_sum().over(group, order_by=waited)
    return (
        times.group_by(*group, waited)
        .agg(leaving=pl.len().cast(pl.Int64), events=pl.col(is_event).sum().cast(pl.Int64))
        .sort(*group, waited)
        .with_columns(at_risk=leaving.sum().over(group) - leaving.cum_sum().over(group, order_by=waited) + leaving)
        .with_columns(share=1 - still_without, error=still_without * greenwood.sqrt())
        .select(*group, waited, "at_risk", "events", "share", "error")
    )


def kaplan_meier(
    times: pl.LazyFrame,
    *,
    by: Sequence[str],
    at: int,
    waited: str = "waited",
    is_event: str = "is_event",
    quantiles: Sequence[float] = (0.5,),
) -> pl.LazyFrame:
    """Of each group, the share that will have had the event after the time `at`, and when given shares have had it.

    In:  as of `survival_curve`.
    Out: by (sorted), projected_rate, projected_error, and one column `quantile_<q>` per quantile: the smallest time up
         to `at` at which F is q or more, null for "not reached".
    """
    group = list(by)
    curve = survival_curve(times, by=by, waited=waited, is_event=is_event)
    until = pl.col(waited) <= at
    reached = [
        pl.col(waited).filter(until & (pl.col("share").round(9) >= quantile)).min().alias(f"quantile_{quantile}")
        for quantile in quantiles
    ]
    return (
        curve.group_by(group)
        .agg(
            pl.col("share")
            .filter(until)
            .sort_by(pl.col(waited).filter(until))
            .last()
            .fill_null(0.0)
            .alias("projected_rate"),
            pl.col("error")
            .filter(until)
            .sort_by(pl.col(waited).filter(until))
            .last()
            .fill_null(0.0)
            .alias("projected_error"),
            *reached,
        )
        .with_columns(exported(pl.col("projected_rate", "projected_error")))
        .sort(group)
    )


def competing_outcomes(
    times: pl.LazyFrame, *, by: Sequence[str], waited: str = "waited", outcome: str = "outcome"
) -> pl.LazyFrame:
    """How likely each of several outcomes (won, lost) has happened by each time.

    In:  one row per subject: the columns of `by`, how long it was watched, the outcome that ended it (null: open).
    Out: by, outcome, waited (sorted by these), share: who had this outcome by then.

    Source: Aalen and Johansen (1978). Unlike one curve per outcome, the shares of all outcomes never exceed 1 together.
    """
    group = list(by)
    curve = survival_curve(times.with_columns(is_event=pl.col(outcome).is_not_null()), by=by, waited=waited)
    free_before = (1 - pl.col("share")).shift(fill_value=1.0).over(group, order_by=waited)
    steps = curve.select(*group, waited, "at_risk", free_before=free_before)
    happened = times.filter(pl.col(outcome).is_not_null()).group_by(*group, outcome, waited).agg(events=pl.len())
    term = pl.col("free_before") * pl.col("events") / pl.col("at_risk")
    return (
        happened.join(steps, on=[*group, waited], how="left")
        .sort(*group, outcome, waited)
        .select(
            *group,
            outcome,
            waited,
            share=exported(term.cum_sum().over([*group, outcome], order_by=waited)),
        )
    )


# ---------------------------------------------------------------- why a rate changed


def mix_and_rate(groups: pl.LazyFrame) -> pl.LazyFrame:
    """Split the change of a pooled rate between two periods into shifts of mix and changes within groups.

    In:  one row per group: reached_before, entered_before, reached_after, entered_after, and what names the group.
    Out: the same rows with mix and rate; their sum over all groups is the change of the pooled rate.

    A group without entrants in one period is all mix. Source: Kitagawa (1955), midpoint weights.
    """
    before, after = rate("reached_before", "entered_before"), rate("reached_after", "entered_after")
    before, after = pl.coalesce(before, after, 0.0), pl.coalesce(after, before, 0.0)
    weight_before = rate("entered_before", pl.col("entered_before").sum()).fill_null(0.0)
    weight_after = rate("entered_after", pl.col("entered_after").sum()).fill_null(0.0)
    return groups.with_columns(
        mix=(weight_after - weight_before) * (before + after) / 2,
        rate=(after - before) * (weight_before + weight_after) / 2,
    )


def change_by_step(steps: pl.LazyFrame) -> pl.LazyFrame:
    """Split the change of a funnel's total rate between two periods among its steps.

    In:  one row per mandatory step with step_number, reached_before, reached_after.
    Out: the same rows in step order with `part`; the parts sum to the change of (last step / first step). Null where a
         period has no entrants. Where a period has nobody left, the first step nobody reached takes the whole change.

    Source: Ang (2005), logarithmic mean weights.
    """
    before, after = pl.col("reached_before").cast(pl.Float64), pl.col("reached_after").cast(pl.Float64)
    total_before, total_after = before.last() / before.first(), after.last() / after.first()
    log_change = (total_after / total_before).log()
    mean = pl.when(total_after == total_before).then(total_before).otherwise((total_after - total_before) / log_change)
    own_change = ((after / after.shift()) / (before / before.shift())).log().fill_null(0.0)
    is_empty = (before == 0) | (after == 0)
    first_empty = is_empty & (is_empty.cum_sum() == 1)
    whole = pl.when(first_empty).then(total_after - total_before).otherwise(0.0)
    part = pl.when(is_empty.any()).then(whole).otherwise(mean * own_change)
    has_entrants = (before.first() > 0) & (after.first() > 0)
    return steps.sort("step_number").with_columns(part=pl.when(has_entrants).then(part))


def _count(count: Count) -> pl.Expr:
    return pl.col(count) if isinstance(count, str) else count
