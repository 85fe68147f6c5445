"""Incidents: weeks in which one group goes on from one step of a funnel less, or more, often than at other times, and the others do not;
and days or weeks in which everybody does, by more than the rate moves at other times."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from reports.rates import Difference, Rate
from transforms.statistics import FEW, dispersion, pooled_z, two_sided_p

WEEKS = (1, 2, 3, 4)
"""How many whole weeks in a row are looked at."""
SPANS = ((1, (1, 2, 3, 4, 5, 6)), (7, WEEKS))
"""Spans of so many days, and how many of them in a row are looked at: both of everybody, only the weeks of groups."""
OTHER_SPANS = 6
"""How many other spans there must be to know how much the rate moves anyway."""
FAMILY_ERROR = 0.01
"""The chance that anything at all is found where nothing happened, over everything that is looked at (Bonferroni)."""
MOST = 12
"""How many are told at most."""
OTHERS_APART = 3.0
"""How many standard errors the group's change must lie from that of all other groups together."""
STEP = ("funnel", "breakdown", "step_number", "step_name", "next_name")
SIDES = ("went_in", "came_in", "went_out", "came_out")


@dataclass(frozen=True)
class Incident:
    """One group, or everybody (no breakdown), at one step in some days, against the same at all other times.

    `others` are those of all other groups; None of everybody.
    """

    funnel: str
    breakdown: str | None
    group: str | None
    step: str
    next_step: str
    first: date
    last: date
    difference: Difference
    others: Difference | None
    p_value: float

    @property
    def customers(self) -> int:
        """How many went on less, or more, than would have at the rate of other times."""
        inside = self.difference.here
        return abs(round((self.difference.there.value or 0.0) * inside.whole) - inside.part)


def incidents(days: pl.DataFrame) -> list[Incident]:
    """What stands out, the least likely by chance first; of days that overlap, groups alike, only the first.

    In: the answer group_days. A window counts only when at least FEW came to the step in it, and as many at other times. What is told
    is left out of the times that the next is held against, and what a group tells of a step is not told of everybody.
    """
    kept = list[dict[str, Any]]()
    while len(kept) < MOST and (row := next((row for row in standing_out(days) if fits(row, kept)), None)):
        kept.append(row)
        days = days.filter(~pl.all_horizontal(of_group(row), pl.col("day").is_between(row["first"], row["last"])))
    return [incident(row) for row in kept]


def standing_out(days: pl.DataFrame) -> list[dict[str, Any]]:
    """Groups, and everybody, in what chance would hardly give among all that is looked at; the least likely first."""
    of_groups = judged(beside_the_rest(counted(days.filter(pl.col("breakdown").is_not_null()), SPANS[1:])))
    of_everybody = judged(counted(days.filter(pl.col("breakdown").is_null()), SPANS))
    tests = of_groups.height + of_everybody.height
    told = list(clear(of_groups.filter(pl.col("apart") >= OTHERS_APART), tests).iter_rows(named=True))
    alone = [
        row
        for row in clear(of_everybody, tests).iter_rows(named=True)
        if not any(is_part(row, group) for group in told)
    ]
    return sorted(told + alone, key=lambda row: -abs(row["z"]))


def fits(row: dict[str, Any], kept: list[dict[str, Any]]) -> bool:
    """True for what is not told already."""
    return not any(is_same(row, other) or (row["breakdown"] is None and is_part(row, other)) for other in kept)


def of_group(row: dict[str, Any]) -> pl.Expr:
    """True for the rows of the same group, or of everybody, in whichever funnel."""
    return pl.all_horizontal(pl.col(name).eq_missing(pl.lit(row[name], pl.String)) for name in ("breakdown", "value"))


def clear(tested: pl.DataFrame, tests: int) -> pl.DataFrame:
    """What chance would hardly give among so many tests, the least likely first; equals in order of their names and days."""
    order = ("funnel", "breakdown", "value", "step_number", "first", "last")
    return tested.filter(pl.col("p") * tests <= FAMILY_ERROR).sort(-pl.col("z").abs(), *order, nulls_last=True)


def is_part(everybody: dict[str, Any], group: dict[str, Any]) -> bool:
    """True when a group's row tells of days that overlap, and of the step before or after as well, in whichever funnel."""
    touches = everybody["step_name"] == group["step_name"] or everybody["next_name"] == group["next_name"]
    return group["breakdown"] is not None and touches and overlap(everybody, group)


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """True when two rows tell of days in common."""
    return bool(one["first"] <= other["last"] and other["first"] <= one["last"])


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """True when both rows tell of one group in days that overlap, whichever funnel shows it."""
    return (one["breakdown"], one["value"]) == (other["breakdown"], other["value"]) and overlap(one, other)


def incident(row: dict[str, Any]) -> Incident:
    """One row of `standing_out` in full."""
    return Incident(
        row["funnel"],
        row["breakdown"],
        row["value"],
        row["step_name"],
        row["next_name"],
        row["first"],
        row["last"],
        difference_of(row, ""),
        difference_of(row, "rest_") if row["breakdown"] is not None else None,
        row["p"],
    )


def difference_of(row: dict[str, Any], side: str) -> Difference:
    """Inside the window against all other times."""
    inside, outside = (Rate.of(row[f"{side}went_{when}"], row[f"{side}came_{when}"]) for when in ("in", "out"))
    difference = Difference.of(inside, outside)
    assert difference is not None, "both sides have at least FEW"
    return difference


def counted(days: pl.DataFrame, spans: Sequence[tuple[int, Sequence[int]]]) -> pl.DataFrame:
    """The counts of every group and step inside every window, and at all other times.

    In: the answer group_days, and what is looked at, as `SPANS`. Out: STEP, `value`, `first`, `last`, SIDES, and of all other spans how
    many they are (`spans_out`) and the sum of went_on² / came (`square_out`).
    """
    sums = ("came", "went_on", "square", "spans")
    runs = []
    for width, lengths in spans:
        single = by_span(days, width).with_columns(square=pl.col("went_on") ** 2 / pl.col("came"), spans=1)
        totals = single.group_by(*STEP, "value").agg(pl.col(*sums).sum().name.suffix("_all"))
        runs += [
            windows(single, length, *sums).join(totals, on=[*STEP, "value"], nulls_equal=True) for length in lengths
        ]
    outside = pl.concat(runs).with_columns((pl.col(f"{name}_all") - pl.col(name)).alias(f"{name}_out") for name in sums)
    named = outside.rename({"came": "came_in", "went_on": "went_in", "went_on_out": "went_out"})
    return named.select(*STEP, "value", "first", "last", *SIDES, "spans_out", "square_out")


def judged(windows: pl.DataFrame) -> pl.DataFrame:
    """The windows of `counted` with enough on both sides, with `z` and the chance `p` of as much by chance.

    A rate that moves from span to span anyway, by season or by what is sold, has to move by more: the z statistic is divided by the root
    of the dispersion of all other spans.
    """
    enough = windows.filter(pl.min_horizontal("came_in", "came_out") >= FEW, pl.col("spans_out") >= OTHER_SPANS)
    moves = dispersion("square_out", "went_out", "came_out", "spans_out")
    tested = enough.with_columns(z=pooled_z(*SIDES) / moves.sqrt())
    return tested.with_columns(p=two_sided_p(tested["z"]))


def by_span(days: pl.DataFrame, width: int) -> pl.DataFrame:
    """The counts of each group and step by spans of so many days, named by their first; of 7 by weeks from Monday."""
    start = pl.col("day").dt.truncate("1w" if width == 7 else f"{width}d")
    return days.group_by(*STEP, "value", start=start, width=pl.lit(width)).agg(pl.col("came", "went_on").sum())


def windows(spans: pl.DataFrame, length: int, *sums: str) -> pl.DataFrame:
    """The sums of each group and step in every run of so many spans in which somebody came; `first` and `last` are its days."""
    starts = [pl.col("start") - pl.duration(days=pl.col("width") * back) for back in range(length)]
    return (
        spans.with_columns(first=pl.concat_list(starts))
        .explode("first")
        .group_by(*STEP, "value", "first", "width")
        .agg(pl.col(*sums).sum())
        .with_columns(last=pl.col("first") + pl.duration(days=pl.col("width") * length - 1))
    )


def beside_the_rest(windows: pl.DataFrame) -> pl.DataFrame:
    """With the counts of all other groups as `rest_…`, where these are enough, and how far `apart` both are in standard errors."""
    window = [*STEP, "first", "last"]
    inside = windows.group_by(window).agg(pl.col("came_in", "went_in").sum().name.prefix("all_"))
    groups = windows.group_by(*STEP, "value").agg(
        came=(pl.col("came_in") + pl.col("came_out")).first(), went=(pl.col("went_in") + pl.col("went_out")).first()
    )
    totals = groups.group_by(STEP).agg(pl.col("came", "went").sum().name.prefix("step_"))
    rest = (
        windows.join(inside, on=window)
        .join(totals, on=list(STEP))
        .with_columns(
            rest_came_in=pl.col("all_came_in") - pl.col("came_in"),
            rest_went_in=pl.col("all_went_in") - pl.col("went_in"),
        )
        .with_columns(
            rest_came_out=pl.col("step_came") - pl.col("came_in") - pl.col("came_out") - pl.col("rest_came_in"),
            rest_went_out=pl.col("step_went") - pl.col("went_in") - pl.col("went_out") - pl.col("rest_went_in"),
        )
    )
    return rest.filter(pl.min_horizontal("rest_came_in", "rest_came_out") >= FEW).with_columns(apart=apart())


def apart() -> pl.Expr:
    """How far the change of the group lies from that of the others, in standard errors."""
    changes, errors = [], []
    for prefix in ("", "rest_"):
        inside, outside = (pl.col(f"{prefix}went_{side}") / pl.col(f"{prefix}came_{side}") for side in ("in", "out"))
        changes.append(inside - outside)
        errors += [smoothed(f"{prefix}went_{side}", f"{prefix}came_{side}") for side in ("in", "out")]
    return (changes[0] - changes[1]).abs() / pl.sum_horizontal(errors).sqrt()


def smoothed(part: str, whole: str) -> pl.Expr:
    """The variance of a share, with one more of either kind so that it is never nothing."""
    rate = (pl.col(part) + 1) / (pl.col(whole) + 2)
    return rate * (1 - rate) / pl.col(whole)
