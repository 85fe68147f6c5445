"""The funnel answer: counts, rates and times of each step, as the commands print them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from transforms.funnel_compat import compat_told
from transforms.journey import Funnel
from transforms.statistics import kaplan_meier

FOREVER = 2**62


def funnel_answer(
    entrants: pl.DataFrame, groups: pl.DataFrame, funnel: Funnel, *, horizon: datetime | None, with_attempts: bool
) -> dict[str, Any]:
    """What a funnel says, as a JSON object.

    In:  MART_FUNNEL_ENTRANTS and MART_FUNNEL_ENTRANT_GROUPS of the funnel.
    Out: the definition's frame; `compat`, what it set, where the funnel has it; `steps` (see `answer_steps`); `attempts`,
         when asked for, every first, best or counted attempt by unit and entry; `groups`, the steps of each value of
         each breakdown, by value.
    """
    here = pl.col("funnel") == funnel.name
    entrants, groups = entrants.filter(here), groups.filter(here)
    answer: dict[str, Any] = {
        "name": funnel.name,
        "unit": funnel.unit,
        "order": funnel.order,
        "window_seconds": None if funnel.window is None else in_seconds(funnel.window // timedelta(microseconds=1)),
        "from": instant_text(funnel.from_),
        "to": instant_text(funnel.to),
        "horizon": instant_text(horizon),
        "steps": answer_steps(entrants, funnel, horizon=horizon),
    }
    if funnel.compat is not None:
        answer["compat"] = compat_told(funnel.compat, dict(funnel))
    if with_attempts:
        answer["attempts"] = answer_attempts(entrants)
    answer["groups"] = answer_groups(groups, funnel, horizon=horizon)
    return answer


def answer_steps(rows: pl.DataFrame, funnel: Funnel, *, horizon: datetime | None) -> list[dict[str, Any]]:
    """One object per step, also for a funnel that nobody entered.

    In:  rows of the entrants or of one group.
    Out: count: counted attempts that reached the step (in any order: that many steps). step_rate is against the last
         mandatory step before it, total_rate against step 1; a rate over 0 is null. Of the counted attempts that went no
         further than this step, `dropped`, `open` and `excluded` say how they stand (the rest have converted).
         median_seconds: time from the mandatory step before to this one by the Kaplan-Meier curve of the units' first
         attempts, null when half do not get here. mean_ and median_seconds_of_converters: of the counted attempts that
         did, the median interpolated.
    """
    rows = rows.with_columns(times=ordered_times(funnel))
    counted = rows.filter("is_counted")
    reached = [reached_step(funnel, number) for number in range(1, len(funnel.steps) + 1)]
    counts = counted.select(condition.sum().alias(str(number)) for number, condition in enumerate(reached)).row(0)
    left = {(depth, status): count for depth, status, count in counted.group_by("depth", "status").len().rows()}
    medians = curve_medians(rows.filter("is_first"), funnel, horizon=horizon)
    answer = []
    for number, step in enumerate(funnel.steps, start=1):
        before = mandatory_before(funnel, number)
        durations = counted.select(leg(funnel, number).drop_nulls().alias("leg"))["leg"]
        answer.append(
            {
                "name": step.label,
                "count": counts[number - 1],
                "step_rate": rate_of(counts[number - 1], counts[before - 1]),
                "total_rate": rate_of(counts[number - 1], counts[0]),
                **{status: left.get((number, status), 0) for status in ("dropped", "open", "excluded")},
                "median_seconds": medians.get(number),
                "mean_seconds_of_converters": in_seconds(durations.mean()),
                "median_seconds_of_converters": in_seconds(durations.median()),
            }
        )
    return answer


def ordered_times(funnel: Funnel) -> pl.Expr:
    """The times of the steps; in any order those of the first, second, … step done."""
    times = pl.col("step_times")
    return times.list.sort(nulls_last=True) if funnel.order == "any" else times


def reached_step(funnel: Funnel, number: int) -> pl.Expr:
    """Whether an attempt reached a step."""
    return time_of(number).is_not_null()


def time_of(number: int) -> pl.Expr:
    """When an attempt reached a step; null when it did not."""
    return pl.col("times").list.get(number - 1, null_on_oob=True)


def mandatory_before(funnel: Funnel, number: int) -> int:
    """The last mandatory step before a step; step 1 for itself."""
    return max((other for other in range(1, number) if not funnel.steps[other - 1].optional), default=1)


def leg(funnel: Funnel, number: int) -> pl.Expr:
    """Microseconds from the mandatory step before to this one; null for step 1."""
    if number == 1:
        return pl.lit(None, dtype=pl.Int64)
    return (time_of(number) - time_of(mandatory_before(funnel, number))).dt.total_microseconds()


def curve_medians(first: pl.DataFrame, funnel: Funnel, *, horizon: datetime | None) -> dict[int, float | None]:
    """By step, the time by which half of the first attempts at the step before have come to it (Kaplan-Meier).

    The clock starts at the step before and is censored at the end of the window or at the horizon. semantics.md §9
    """
    end = pl.lit(horizon, dtype=pl.Datetime("us", "UTC")) if horizon is not None else None
    until = pl.col("closes_at") if end is None else pl.min_horizontal("closes_at", end)
    legs = []
    for number in range(2, len(funnel.steps) + 1):
        start = time_of(mandatory_before(funnel, number))
        watched = (until - start).dt.total_microseconds().fill_null(FOREVER).clip(0)
        at_risk = first.filter(start.is_not_null())
        done = leg(funnel, number)
        legs.append(at_risk.select(step=pl.lit(number), waited=pl.coalesce(done, watched), is_event=done.is_not_null()))
    if not legs:
        return {}
    curves = kaplan_meier(pl.concat(legs).lazy(), by=["step"], at=FOREVER).collect()
    return {step: in_seconds(median) for step, median in curves.select("step", "quantile_0.5").rows()}


def rate_of(numerator: int, denominator: int) -> dict[str, Any]:
    """A rate with its counts; null over 0."""
    return {"n": numerator, "d": denominator, "rate": numerator / denominator if denominator else None}


def answer_attempts(entrants: pl.DataFrame) -> list[dict[str, Any]]:
    """Each first, best or counted attempt."""
    listed = entrants.filter(pl.any_horizontal("is_first", "is_best", "is_counted"))
    listed = listed.sort("unit_id", "entered_at", "entry_source", "entry_event_id")
    columns = ("unit_id", "entered_at", "step_times", "depth", "status", "is_first", "is_best")
    return [
        {
            "unit_id": unit,
            "entry": instant_text(entry),
            "steps": [instant_text(instant) for instant in steps],
            "depth": depth,
            "status": status,
            "is_first": is_first,
            "is_best": is_best,
        }
        for unit, entry, steps, depth, status, is_first, is_best in listed.select(columns).iter_rows()
    ]


def answer_groups(groups: pl.DataFrame, funnel: Funnel, *, horizon: datetime | None) -> list[dict[str, Any]]:
    """The steps of each value of each breakdown, in the order of the breakdowns, then of the values."""
    answer = []
    for breakdown in funnel.breakdowns:
        rows = groups.filter((pl.col("breakdown") == breakdown.label) & pl.any_horizontal("is_counted", "is_first"))
        counted = rows.filter("is_counted")["value"].unique()
        for (_,), group in sorted(
            rows.filter(pl.col("value").is_in(counted.implode())).partition_by("value", as_dict=True).items()
        ):
            values = group["value_parts"][0].to_list()
            answer.append(
                {"by": list(breakdown.by), "values": values, "steps": answer_steps(group, funnel, horizon=horizon)}
            )
    return answer


def in_seconds(microseconds: Any) -> float | int | None:
    """Microseconds as seconds, whole ones as an integer; None stays None."""
    if microseconds is None:
        return None
    seconds = round(float(microseconds) / 1_000_000, 6)
    return int(seconds) if seconds.is_integer() else seconds


def instant_text(value: datetime | date | None) -> str | None:
    """ISO 8601, an instant in UTC with Z; a bare date as it is."""
    if value is None or not isinstance(value, datetime):
        return None if value is None else value.isoformat()
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")
