"""Incidents: weeks in which one group goes on from one step of a funnel less, or more, often than at other times, and the others do not."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from reports.rates import Difference, Rate
from transforms.statistics import FEW, pooled_z, two_sided_p

WEEKS = (1, 2, 3, 4)
"""How many whole weeks in a row are looked at."""
FAMILY_ERROR = 0.01
"""The chance that anything at all is found where nothing happened, over everything that is looked at (Bonferroni)."""
OTHERS_APART = 3.0
"""How many standard errors the group's change must lie from that of all other groups together."""
STEP = ("funnel", "breakdown", "step_number", "step_name", "next_name")
SIDES = ("went_in", "came_in", "went_out", "came_out")


@dataclass(frozen=True)
class Incident:
    """One group at one step in some whole weeks, against the same group at all other times."""

    funnel: str
    breakdown: str
    group: str
    step: str
    next_step: str
    first: date
    last: date
    difference: Difference
    others: Difference
    p_value: float

    @property
    def customers(self) -> int:
        """How many went on less, or more, than would have at the rate of other times."""
        inside = self.difference.here
        return abs(round((self.difference.there.value or 0.0) * inside.whole) - inside.part)


def incidents(days: pl.DataFrame) -> list[Incident]:
    """What stands out, the least likely by chance first; of weeks that overlap, groups alike, only the first.

    In: the answer group_days. A window counts only when at least FEW came to the step in it, and as many at other times.
    """
    tested = compared(days)
    if tested.is_empty():
        return []
    clear = tested.filter(pl.col("p") * tested.height <= FAMILY_ERROR, pl.col("apart") >= OTHERS_APART)
    ordered = clear.sort("p", "funnel", "breakdown", "value", "step_number", "first", "last")
    kept = list[dict[str, Any]]()
    for row in ordered.iter_rows(named=True):
        if not any(is_same(row, other) for other in kept):
            kept.append(row)
    return [incident(row) for row in kept]


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """True when both rows tell of one group in weeks that overlap, whichever funnel shows it."""
    return (
        (one["breakdown"], one["value"]) == (other["breakdown"], other["value"])
        and one["first"] <= other["last"]
        and other["first"] <= one["last"]
    )


def incident(row: dict[str, Any]) -> Incident:
    """One row of `compared` in full."""
    difference, others = (
        Difference.of(
            Rate.of(row[f"{side}went_in"], row[f"{side}came_in"]),
            Rate.of(row[f"{side}went_out"], row[f"{side}came_out"]),
        )
        for side in ("", "rest_")
    )
    assert difference is not None and others is not None, "both sides have at least FEW"
    return Incident(
        row["funnel"],
        row["breakdown"],
        row["value"],
        row["step_name"],
        row["next_name"],
        row["first"],
        row["last"],
        difference,
        others,
        row["p"],
    )


def compared(days: pl.DataFrame) -> pl.DataFrame:
    """Every group, step and window that can be judged, with its counts, those of all other groups, and how unlikely they are.

    Out: STEP, `value`, `first`, `last`, SIDES, the same of the rest as `rest_…`, `p`, and `apart` in standard errors.
    """
    weekly = days.group_by(*STEP, "value", week=pl.col("day").dt.truncate("1w")).agg(pl.col("came", "went_on").sum())
    if weekly.is_empty():
        return pl.DataFrame()
    runs = pl.concat([windows(weekly, length) for length in WEEKS])
    everybody = weekly.group_by(*STEP, "value").agg(came_all=pl.col("came").sum(), went_all=pl.col("went_on").sum())
    counted = runs.join(everybody, on=[*STEP, "value"]).with_columns(
        came_out=pl.col("came_all") - pl.col("came_in"), went_out=pl.col("went_all") - pl.col("went_in")
    )
    window = [*STEP, "first", "last"]
    totals = counted.group_by(window).agg(pl.col(*SIDES).sum().name.prefix("all_"))
    full = totals_of_steps(weekly)
    rest = (
        counted.join(totals, on=window)
        .join(full, on=list(STEP))
        .with_columns((pl.col(f"all_{side}") - pl.col(side)).alias(f"rest_{side}") for side in ("came_in", "went_in"))
        .with_columns(
            rest_came_out=pl.col("step_came") - pl.col("came_all") - pl.col("rest_came_in"),
            rest_went_out=pl.col("step_went") - pl.col("went_all") - pl.col("rest_went_in"),
        )
    )
    enough = rest.filter(pl.min_horizontal("came_in", "came_out", "rest_came_in", "rest_came_out") >= FEW)
    judged = enough.with_columns(z=pooled_z(*SIDES), apart=apart())
    return judged.with_columns(p=two_sided_p(judged["z"]))


def totals_of_steps(weekly: pl.DataFrame) -> pl.DataFrame:
    """All groups together at each step, over all time."""
    return weekly.group_by(STEP).agg(step_came=pl.col("came").sum(), step_went=pl.col("went_on").sum())


def windows(weekly: pl.DataFrame, length: int) -> pl.DataFrame:
    """The counts of each group and step in every run of so many whole weeks in which somebody came."""
    starts = [pl.col("week") - timedelta(weeks=back) for back in range(length)]
    return (
        weekly.with_columns(first=pl.concat_list(starts))
        .explode("first")
        .group_by(*STEP, "value", "first")
        .agg(came_in=pl.col("came").sum(), went_in=pl.col("went_on").sum())
        .with_columns(last=pl.col("first") + timedelta(days=7 * length - 1))
    )


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
