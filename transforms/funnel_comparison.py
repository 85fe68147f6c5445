"""Funnel comparisons: two periods, groups against others, variants of an experiment, and a trend by entry period."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from transforms.funnel_answer import answer_steps, instant_text, mandatory_before, ordered_times, rate_of, reached_step
from transforms.funnel_stream import NOT_KNOWN, counted_events, property_text
from transforms.journey import Funnel, Segment
from transforms.segments import ENTRY
from transforms.statistics import change_by_step, compared_rates, exported, newcombe, wilson

Every = Literal["day", "week", "month"]
PERIODS: Mapping[Every, str] = {"day": "1d", "week": "1w", "month": "1mo"}
ENTRY_KEY = ("unit_id", "entered_at", "entry_source", "entry_event_id")
MISMATCH = 0.01
FEW_VARIANTS = 2


# ---------------------------------------------------------------- counts


def reach(entrants: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """customer_id and, by step, whether it was reached; a row per counted attempt.

    In:  rows of MART_FUNNEL_ENTRANTS or of one group.
    """
    reached = [reached_step(funnel, number).alias(f"reached_{number}") for number in range(1, len(funnel.steps) + 1)]
    counted = entrants.filter("is_counted").with_columns(times=ordered_times(funnel))
    return counted.select("customer_id", "unit_id", *reached)


def count_reached(attempts: pl.DataFrame, number: int) -> int:
    """How many attempts reached a step."""
    return attempts.filter(f"reached_{number}").height


def last_step(funnel: Funnel) -> int:
    """The last mandatory step: who is there has converted."""
    return max(number for number, step in enumerate(funnel.steps, start=1) if not step.optional)


def worth(attempts: pl.DataFrame, number: int) -> dict[str, float]:
    """Counts of those that reached a step, and the counts of as many customers as repeats are worth. semantics.md §9

    Where each customer is counted once the two are the same; else the size is that of a ratio's variance.
    """
    per_customer = attempts.group_by("customer_id").agg(x=pl.len(), y=pl.col(f"reached_{number}").sum())
    entered, reached, customers = attempts.height, count_reached(attempts, number), per_customer.height
    size = float(entered)
    if 0 < customers < entered:
        share = reached / entered
        squares = round(per_customer.select(((pl.col("y") - share * pl.col("x")) ** 2).sum()).item(), 9)
        if reached in (0, entered) or customers == 1:
            size = float(customers)
        elif squares > 0:
            size = share * (1 - share) * entered**2 * (customers - 1) / (customers * squares)
    return {
        "reached": reached,
        "entered": entered,
        "worth_reached": size * reached / entered if entered else 0.0,
        "worth": size,
    }


def difference(here: pl.DataFrame, there: pl.DataFrame, number: int, *, of: int) -> dict[str, float | None]:
    """The rate of the first less that of the second, with Newcombe's interval.

    Null where one has nobody at step `of`, and for that step itself.
    """
    first, second = (worth(side.filter(f"reached_{of}"), number) for side in (here, there))
    if number == of or not (first["entered"] and second["entered"]):
        return {"difference": None, "low": None, "high": None}
    low, high = newcombe(*(pl.lit(side[name]) for side in (first, second) for name in ("worth_reached", "worth")))
    apart = pl.lit(first["reached"] / first["entered"] - second["reached"] / second["entered"])
    return pl.select(difference=exported(apart), low=exported(low), high=exported(high)).row(0, named=True)


# ---------------------------------------------------------------- two periods


def compare_periods(
    before: pl.DataFrame, after: pl.DataFrame, *, before_funnel: Funnel, funnel: Funnel, horizon: datetime | None
) -> dict[str, Any]:
    """Two periods of one funnel side by side.

    In:  MART_FUNNEL_ENTRANTS of each, with the funnel of its range.
    Out: `before` and `after`: the range, and is_final, whether no window of it can still change a count; `steps`: counts and
         rates of both, the differences (after less before) with Newcombe's interval, and `part`, what the mandatory step
         contributes to the change of the total rate; the parts sum to `change`.
    """
    early, late = reach(before, funnel), reach(after, funnel)
    numbers = range(1, len(funnel.steps) + 1)
    was, now = ([count_reached(side, number) for number in numbers] for side in (early, late))
    parts = step_parts(was, now, funnel)
    steps = []
    for number, step in enumerate(funnel.steps, start=1):
        base = mandatory_before(funnel, number)
        steps.append(
            {
                "name": step.label,
                "before": _counted(was, number, base),
                "after": _counted(now, number, base),
                "step_rate_change": difference(late, early, number, of=base),
                "total_rate_change": difference(late, early, number, of=1),
                "part": parts.get(number),
            }
        )
    return {
        "before": _range(before_funnel, horizon),
        "after": _range(funnel, horizon),
        "change": steps[last_step(funnel) - 1]["total_rate_change"],
        "steps": steps,
    }


def step_parts(before: Sequence[int], after: Sequence[int], funnel: Funnel) -> dict[int, float | None]:
    """By mandatory step, its part of the change of the total rate."""
    rows = [
        (number, before[number - 1], after[number - 1])
        for number, step in enumerate(funnel.steps, start=1)
        if not step.optional
    ]
    frame = pl.LazyFrame(rows, schema=["step_number", "reached_before", "reached_after"], orient="row")
    parts = change_by_step(frame).with_columns(exported(pl.col("part")))
    return dict(parts.select("step_number", "part").collect().rows())


def is_final(funnel: Funnel, horizon: datetime | None) -> bool:
    """Whether the windows of all entries of a range have closed at the horizon."""
    if horizon is None or funnel.window is None or funnel.ends_at is None:
        return False
    return funnel.ends_at + funnel.window <= horizon


def _counted(counts: Sequence[int], number: int, base: int) -> dict[str, Any]:
    count = counts[number - 1]
    return {
        "count": count,
        "step_rate": rate_of(count, counts[base - 1]),
        "total_rate": rate_of(count, counts[0]),
    }


def _range(funnel: Funnel, horizon: datetime | None) -> dict[str, Any]:
    return {
        "from": instant_text(funnel.from_),
        "to": instant_text(funnel.to),
        "is_final": is_final(funnel, horizon),
    }


# ---------------------------------------------------------------- groups against others


def compare_segments(
    entrants: pl.DataFrame,
    members: pl.DataFrame,
    asked: Sequence[Segment],
    funnel: Funnel,
    *,
    in_segments: pl.DataFrame,
    horizon: datetime | None,
) -> list[dict[str, Any]]:
    """Each segment against the entrants who are not in it, in the order asked for.

    In:  MART_FUNNEL_ENTRANTS; CORE_CUSTOMER_SEGMENTS, for segments as of the horizon; `in_segments`, what `segments_at_entry` says of
         these entrants, for those as of entry.
    Out: `as_of`, `steps` (as of a funnel's answer), `total_rate` of the segment and `rest_rate`, and what `compared_rates` adds; the p values
         are adjusted for the number of segments. Segments may overlap.
    """
    sides = []
    for segment in asked:
        at_entry = segment.as_of == "entry"
        rows = (in_segments if at_entry else members).filter(pl.col("segment") == segment.name)
        here, there = (
            entrants.join(
                rows, on=ENTRY if at_entry else "customer_id", how=how, nulls_equal=at_entry, maintain_order="left"
            )
            for how in ("semi", "anti")
        )
        sides.append((segment, here, there))
    tests = _tests([(here, there) for _, here, there in sides], funnel)
    return [
        {
            "segment": segment.name,
            "as_of": segment.as_of,
            "steps": answer_steps(here, funnel, horizon=horizon),
            **test,
        }
        for (segment, here, _), test in zip(sides, tests, strict=True)
    ]


def _tests(sides: Sequence[tuple[pl.DataFrame, pl.DataFrame]], funnel: Funnel) -> list[dict[str, Any]]:
    """Total rate of each side and the test of their difference, adjusted over all pairs."""
    last = last_step(funnel)
    rows = []
    for here, there in sides:
        first, second = worth(reach(here, funnel), last), worth(reach(there, funnel), last)
        rows.append({**first, **{f"rest_{name}": value for name, value in second.items()}})
    if not rows:
        return []
    compared = compared_rates(
        pl.DataFrame(rows),
        counts=("worth_reached", "worth", "rest_worth_reached", "rest_worth"),
        enough=("entered", "rest_entered"),
    )
    return [
        {
            "total_rate": rate_of(row["reached"], row["entered"]),
            "rest_rate": rate_of(row["rest_reached"], row["rest_entered"]),
            **{name: row[name] for name in ("difference", "difference_low", "difference_high")},
            **{name: row[name] for name in ("p_value", "q_value", "stands_out")},
        }
        for row in compared.rows(named=True)
    ]


# ---------------------------------------------------------------- experiments


def judge_experiment(
    groups: pl.DataFrame,
    entrants: pl.DataFrame,
    funnel: Funnel,
    *,
    shares: Mapping[str, float],
    control: str,
    horizon: datetime | None,
) -> dict[str, Any]:
    """What an experiment says: whether units came to its variants in the shares meant, and how each does against the control.

    In:  MART_FUNNEL_ENTRANT_GROUPS of the property that tells the variant, as of entry; the MART_FUNNEL_ENTRANTS they are
         made of; how the variants share the units.
    Out: `sample_ratio` (chi-square of the counts against the shares; a mismatch, p under 0.01, is a broken assignment or a
         broken count, and then no difference is to be trusted), `variants` (by `shares`: steps, and the test against the
         control, adjusted for the number of variants), `without_variant` (units that tell none).
    """
    owners = entrants.select(*ENTRY_KEY, "customer_id")
    groups = groups.join(owners, on=ENTRY_KEY, how="left", nulls_equal=True, maintain_order="left")
    counted = groups.filter("is_counted")
    rows = {name: groups.filter(pl.col("value") == name) for name in shares}
    units = dict(counted.group_by("value").agg(pl.col("unit_id").n_unique()).rows())
    sample_ratio = check_sample_ratio({name: units.get(name, 0) for name in shares}, shares)
    others = [name for name in shares if name != control]
    tests = dict(zip(others, _tests([(rows[name], rows[control]) for name in others], funnel), strict=True))
    variants = [
        {
            "variant": name,
            "is_control": name == control,
            "steps": answer_steps(rows[name], funnel, horizon=horizon),
            **tests.get(name, {}),
        }
        for name in shares
    ]
    return {
        "control": control,
        "sample_ratio": sample_ratio,
        "is_trustworthy": not sample_ratio["is_mismatch"],
        "variants": variants,
        "without_variant": units.get(NOT_KNOWN, 0),
    }


def units_of_several(events: pl.LazyFrame, entrants: pl.DataFrame, funnel: Funnel, *, horizon: datetime | None) -> int:
    """How many counted units have more than one value of the property that tells the variant, on any of their events.

    In:  columns of core.events; MART_FUNNEL_ENTRANTS; the funnel with its breakdown by that property.
    """
    known = counted_events(events, funnel, horizon=horizon)
    value = property_text(set(known.collect_schema().names()))(funnel.breakdowns[0].by[0])
    seen = known.select("unit_id", value=value).drop_nulls().unique()
    values = seen.group_by("unit_id").agg(values=pl.len()).filter(pl.col("values") > 1)
    counted = entrants.lazy().filter("is_counted").select("unit_id").unique()
    return counted.join(values, on="unit_id", how="semi").collect().height


def check_sample_ratio(counts: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, Any]:
    """Pearson's chi-square of how many units each variant has against how many it should have."""
    from scipy.special import chdtrc  # here, for it is slow to load and no other answer needs it

    units, parts = sum(counts.values()), sum(shares.values())
    expected = {name: units * share / parts for name, share in shares.items()}
    chi_square = sum((counts[name] - wanted) ** 2 / wanted for name, wanted in expected.items() if wanted)
    p_value = float(chdtrc(len(shares) - 1, chi_square)) if units and len(shares) >= FEW_VARIANTS else None
    return {
        "units": dict(counts),
        "expected": {name: round(wanted, 6) for name, wanted in expected.items()},
        "chi_square": round(chi_square, 6),
        "p_value": None if p_value is None else round(p_value, 6),
        "is_mismatch": p_value is not None and p_value < MISMATCH,
    }


# ---------------------------------------------------------------- a trend


def funnel_trend(
    entrants: pl.DataFrame, funnel: Funnel, *, every: Every, horizon: datetime | None
) -> list[dict[str, Any]]:
    """Who entered in each period and how many of them converted; periods without entrants are there with 0.

    In:  MART_FUNNEL_ENTRANTS.
    Out: from, to (days, inclusive), entrants, conversion_rate with its counts and Wilson's interval, open, is_mature
         (the period is over and every window of it has closed).

    A unit counts once in each period, by its best attempt there (`attempt: first`: its first); periods do not add up.
    """
    attempts = _by_period(entrants.filter(pl.col("funnel") == funnel.name), funnel, every)
    found = {row["period"]: row for row in _period_counts(attempts, horizon).rows(named=True)}
    nobody = {"entrants": 0, "converted": 0, "open": 0, "is_closed": True, "low": None, "high": None}
    return [
        _period(first, last, found.get(start, nobody), funnel, horizon)
        for start, first, last in _periods(list(found), funnel, every, horizon)
    ]


def _by_period(entrants: pl.DataFrame, funnel: Funnel, every: Every) -> pl.DataFrame:
    """The attempts that stand for their unit in each period."""
    flag = {"best": "is_best_of_day", "first": "is_first_of_day", "all": "is_counted"}[funnel.attempt]
    attempts = entrants.filter(flag).with_columns(period=pl.col("entry_day").dt.truncate(PERIODS[every]))
    if funnel.attempt == "all":
        return attempts
    done = [
        pl.col("step_times").list.get(number, null_on_oob=True).is_not_null() for number in range(len(funnel.steps))
    ]
    mandatory = pl.sum_horizontal(
        reached.cast(pl.Int32) for reached, step in zip(done, funnel.steps, strict=True) if not step.optional
    )
    best_first = [mandatory, pl.sum_horizontal(reached.cast(pl.Int32) for reached in done)]
    order = best_first if funnel.attempt == "best" else []
    by: list[pl.Expr | str] = [*order, "entered_at", "entry_source", "entry_event_id"]
    descending = [True] * len(order) + [False] * 3
    return attempts.sort(*by, descending=descending, nulls_last=False).unique(
        ["unit_id", "period"], keep="first", maintain_order=True
    )


def _period_counts(attempts: pl.DataFrame, horizon: datetime | None) -> pl.DataFrame:
    closed = pl.lit(False) if horizon is None else (pl.col("closes_at") <= horizon).fill_null(False)
    counts = attempts.group_by("period").agg(
        entrants=pl.len(),
        converted=(pl.col("status") == "converted").sum(),
        open=(pl.col("status") == "open").sum(),
        is_closed=closed.all(),
    )
    low, high = wilson("converted", "entrants")
    return counts.with_columns(low=exported(low), high=exported(high)).sort("period")


def _periods(
    found: Sequence[date], funnel: Funnel, every: Every, horizon: datetime | None
) -> list[tuple[date, date, date]]:
    """The start of each period of the range, and the first and the last day of it that are in the range."""
    zone = ZoneInfo(funnel.time_zone)
    first = funnel.starts_at.astimezone(zone).date() if funnel.starts_at else min(found, default=None)
    until = funnel.ends_at - timedelta(microseconds=1) if funnel.ends_at else horizon
    last = until.astimezone(zone).date() if until else max(found, default=None)
    if first is None or last is None or first > last:
        return []
    starts = (
        pl.Series([first])
        .dt.truncate(PERIODS[every])
        .to_frame("first")
        .select(pl.date_ranges("first", pl.lit(last), interval=PERIODS[every]).explode())
        .to_series()
    )
    ends = starts.dt.offset_by(PERIODS[every]).dt.offset_by("-1d")
    return [
        (start, max(start, first), min(end, last)) for start, end in zip(starts.to_list(), ends.to_list(), strict=True)
    ]


def _period(
    first: date, last: date, counts: Mapping[str, Any], funnel: Funnel, horizon: datetime | None
) -> dict[str, Any]:
    over = datetime.combine(last + timedelta(days=1), datetime.min.time(), ZoneInfo(funnel.time_zone))
    is_over = horizon is not None and over <= horizon
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "entrants": counts["entrants"],
        "conversion_rate": rate_of(counts["converted"], counts["entrants"]),
        "low": counts["low"],
        "high": counts["high"],
        "open": counts["open"],
        "is_mature": is_over and counts["is_closed"],
    }
