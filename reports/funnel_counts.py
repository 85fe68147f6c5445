"""Funnel counts: what the pages say of one funnel, aggregated from its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl

from reports.frames import single
from reports.rates import Rate
from transforms.journey import AsOfStep, Funnel
from transforms.statistics import Z95, against_the_rest, kaplan_meier, survival_curve, wilson

MICROSECOND = timedelta(microseconds=1)
QUARTILES = (0.25, 0.5, 0.75)
CURVE_POINTS = 160
MOMENTS = (
    60, 300, 900, 1_800, *(hours * 3_600 for hours in (1, 3, 6, 12)),
    *(days * 86_400 for days in (1, 2, 3, 5, 7, 14, 21, 30, 60, 90, 180, 365)),
)  # fmt: skip
"""Round times since the first step, in seconds."""
STEP_COLUMNS = (
    "step_number", "step_name", "is_optional", "reached", "reached_before", "total_rate_low", "total_rate_high",
    "dropped", "open", "excluded",
)  # fmt: skip


@dataclass(frozen=True)
class Projection:
    """The share expected at the end of the window, with its 95% interval (Kaplan–Meier, Greenwood's error).

    Without an interval where one customer may be counted several times.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Arrivals:
    """How conversion comes over time.

    `curve` and `moments`: seconds, share, low, high (and how many are `watched`), in order of time.
    `quartiles`: seconds until a quarter, half, three quarters have completed; None for not reached.
    """

    curve: pl.DataFrame
    moments: pl.DataFrame
    quartiles: tuple[float | None, ...]
    projected: Projection | None


@dataclass(frozen=True)
class Group:
    """One breakdown of a funnel: its values, each compared with the rest where that is fair."""

    breakdown: str
    rows: pl.DataFrame
    is_tested: bool


@dataclass(frozen=True)
class FunnelCounts:
    """One funnel as counted.

    `steps`: STEP_COLUMNS, in step order.
    `legs`: from_step, to_step, reached, went_on, matured_reached, matured_went_on, median_seconds.
    `groups` rows: value, reached (at the last step), entered, low, high, difference, stands_out, by entered, then value.
    """

    name: str
    file: str
    definition: Funnel | None
    unit: str
    window: timedelta | None
    horizon: datetime | None
    attempt: str
    steps: pl.DataFrame
    daily: pl.DataFrame
    groups: tuple[Group, ...]
    attempts: pl.DataFrame
    matured: Rate
    so_far: Rate
    still_open: int
    arrivals: Arrivals
    legs: pl.DataFrame

    @property
    def mandatory(self) -> pl.DataFrame:
        """The steps that everybody has to do."""
        return self.steps.filter(~pl.col("is_optional"))

    @property
    def losses(self) -> pl.DataFrame:
        """Into each mandatory step but the first, from the mandatory one before.

        step_number, before, after, came, stopped (their time is over, or they were cut short), still_open (they still have time).
        """
        reached, still_open = pl.col("reached"), pl.col("still_open").shift()
        return (
            self.steps.sort("step_number")
            .group_by(leg=(~pl.col("is_optional")).cum_sum())
            .agg(
                pl.col("step_number", "step_name").first(),
                pl.col("reached").first().cast(pl.Int64),
                still_open=pl.col("open").cast(pl.Int64).sum(),
            )
            .sort("leg")
            .select(
                "step_number",
                before=pl.col("step_name").shift(),
                after="step_name",
                came=reached.shift(),
                stopped=reached.shift() - reached - still_open,
                still_open=still_open,
            )
            .slice(1)
        )

    @property
    def entered(self) -> int:
        """Units that did step 1."""
        return int(single(self.steps, pl.col("reached").first()) or 0)

    @property
    def completed(self) -> Rate:
        """Of those who entered, who reached the last step that everybody has to do, with the interval of mart.funnel_steps."""
        if self.mandatory.is_empty():
            return Rate.of(0, 0)
        last = self.mandatory.row(-1, named=True)
        return Rate(last["reached"], self.entered, last["total_rate_low"], last["total_rate_high"])

    @property
    def units(self) -> str:
        """What is counted, in the plural."""
        return self.unit + "s"

    @property
    def is_independent(self) -> bool:
        """True when no customer is counted twice, so that groups and periods may be tested as samples of people."""
        return counts_customers_once(self.unit, self.attempt)

    def rate(self, part: int, whole: int) -> Rate:
        """A rate of this funnel's units, with an interval where no customer is counted twice."""
        return self.rates([part], [whole])[0]

    def rates(self, parts: Sequence[int], wholes: Sequence[int]) -> list[Rate]:
        """Rates of this funnel's units, as of `rate`."""
        if self.is_independent:
            return Rate.each(parts, wholes)
        return [Rate.without_interval(part, whole) for part, whole in zip(parts, wholes, strict=True)]


def counts_customers_once(unit: str, attempt: str) -> bool:
    """True where each customer (or account) is in a count once at most."""
    return unit != "session" and attempt != "all"


def count_funnel(
    tables: Mapping[str, pl.DataFrame], name: str, *, definition: Funnel | None, file: str
) -> FunnelCounts:
    """Count one funnel.

    In: core.funnel_definitions, mart.funnel_entrants, mart.funnel_steps, mart.funnel_daily, mart.funnel_breakdown.
    """
    here = pl.col("funnel") == name
    declared = tables["core.funnel_definitions"].filter(here).sort("step_number")
    unit, attempt, horizon, seconds = declared.select("unit", "attempt", "horizon", "window_seconds").row(0)
    window = None if seconds is None else timedelta(seconds=seconds)
    steps = tables["mart.funnel_steps"].filter(here).select(STEP_COLUMNS).sort("step_number")
    numbers = declared.filter(~pl.col("is_optional"))["step_number"].to_list()
    attempts = first_attempts(tables["mart.funnel_entrants"].filter(here), numbers, window=window, horizon=horizon)
    closed = attempts.filter("is_closed")
    is_independent = counts_customers_once(unit, attempt)
    rate = Rate.of if is_independent else Rate.without_interval
    return FunnelCounts(
        name=name,
        file=file,
        definition=definition,
        unit=unit,
        window=window,
        horizon=horizon,
        attempt=attempt,
        steps=steps,
        daily=tables["mart.funnel_daily"].filter(here).sort("entry_day"),
        groups=compared_groups(
            tables["mart.funnel_breakdown"].filter(here),
            numbers,
            definition,
            is_independent=is_independent,
        ),
        attempts=attempts.select("entry_day", "is_event", "is_closed"),
        matured=rate(int(single(closed, pl.col("is_event").sum())), closed.height),
        so_far=rate(int(single(attempts, pl.col("is_event").sum())), attempts.height),
        still_open=int(single(attempts, pl.col("is_open").sum())),
        arrivals=arrivals(attempts, window, is_independent=is_independent),
        legs=legs(attempts, declared, definition),
    )


def first_attempts(
    entrants: pl.DataFrame, mandatory: list[int], *, window: timedelta | None, horizon: datetime | None
) -> pl.DataFrame:
    """Each unit's first attempt: whether it converted, whether its window is over, and how long it was watched (µs).

    An attempt that is over without conversion stays under watch for the whole window, also where it was killed or its session
    ended before: nobody may be taken for one who could still convert. semantics.md §9
    """
    last = pl.lit(horizon, dtype=pl.Datetime("us", "UTC"))
    is_event = pl.col("status") == "converted"
    is_closed = (pl.col("closes_at") <= last).fill_null(False)
    done_at = pl.max_horizontal(pl.col("step_times").list.get(number - 1, null_on_oob=True) for number in mandatory)
    until = pl.when(is_closed).then(pl.col("entered_at") + window).otherwise(last) if window else last
    return entrants.filter("is_first").select(
        "entered_at",
        "entry_day",
        "step_times",
        is_event=is_event,
        is_open=pl.col("status") == "open",
        is_closed=is_closed,
        until=until,
        waited=(pl.when(is_event).then(done_at).otherwise(until) - pl.col("entered_at"))
        .dt.total_microseconds()
        .clip(lower_bound=0),
    )


def arrivals(attempts: pl.DataFrame, window: timedelta | None, *, is_independent: bool) -> Arrivals:
    """How conversion comes over time, by Kaplan–Meier over first attempts."""
    watched = attempts.lazy().filter(pl.col("waited").is_not_null()).with_columns(whole=pl.lit("all"))
    at = window // MICROSECOND if window else int(single(attempts, pl.col("waited").max()) or 0)
    estimate = kaplan_meier(watched, by=["whole"], at=at, quantiles=QUARTILES).collect()
    band = Z95 * pl.col("error") if is_independent else pl.lit(None, dtype=pl.Float64)
    curve = (
        survival_curve(watched, by=["whole"])
        .filter(pl.col("waited") <= at)
        .select(
            "waited",
            "events",
            "share",
            low=(pl.col("share") - band).clip(lower_bound=0.0),
            high=(pl.col("share") + band).clip(upper_bound=1.0),
        )
        .collect()
        .sort("waited")
    )
    table = at_moments(curve, attempts, at)
    if estimate.is_empty():
        return Arrivals(thinned(curve), table, (None, None, None), None)
    row = estimate.row(0, named=True)
    times = (row[f"quantile_{share}"] for share in QUARTILES)
    quartiles = tuple(None if time is None else time / 1e6 for time in times)
    projected = projection(row["projected_rate"], row["projected_error"], is_independent=is_independent)
    return Arrivals(thinned(curve), table, quartiles, projected if window else None)


def projection(value: float, error: float, *, is_independent: bool) -> Projection:
    """A projected share with the interval of its error."""
    if not is_independent:
        return Projection(value, None, None)
    return Projection(value, max(value - Z95 * error, 0.0), min(value + Z95 * error, 1.0))


def thinned(curve: pl.DataFrame) -> pl.DataFrame:
    """The curve at no more moments than an eye can tell apart, from 0 seconds on."""
    start = pl.DataFrame([dict.fromkeys(curve.columns, 0)], schema=curve.schema)
    place, last = pl.int_range(pl.len()), pl.len() - 1
    moves = curve.filter((pl.col("events") > 0) | (place == last))
    every = max(1, -(-moves.height // CURVE_POINTS))
    kept = moves.filter((place % every == 0) | (place == last))
    return (
        pl.concat([start, kept]).sort("waited", "share").select("share", "low", "high", seconds=pl.col("waited") / 1e6)
    )


def at_moments(curve: pl.DataFrame, attempts: pl.DataFrame, until: int) -> pl.DataFrame:
    """The curve at round moments and at its end, with how many are still watched at each."""
    round_moments = [seconds * 1_000_000 for seconds in MOMENTS if until / 400 <= seconds * 1_000_000 < until]
    times = pl.DataFrame({"waited": [*round_moments, until] if until else []}, schema={"waited": pl.Int64})
    ascending = attempts["waited"].drop_nulls().sort()
    watched = pl.Series(
        "watched", [ascending.len() - ascending.search_sorted(time, "left") for time in times["waited"]], pl.Int64
    )
    found = times.with_columns(watched).join_asof(curve.cast({"waited": pl.Int64}), on="waited", strategy="backward")
    return found.select("watched", pl.col("share").fill_null(0.0), "low", "high", seconds=pl.col("waited") / 1e6)


def legs(attempts: pl.DataFrame, declared: pl.DataFrame, definition: Funnel | None) -> pl.DataFrame:
    """From each mandatory step to the next: who went on, so far and matured, and the median time (Kaplan–Meier)."""
    steps = declared.filter(~pl.col("is_optional")).select("step_number", "step_name").rows()
    is_free = single(declared, pl.col("step_order").first()) == "any"
    frames = [
        leg(attempts, here, there).with_columns(from_step=pl.lit(name), to_step=pl.lit(next_name), place=pl.lit(place))
        for place, ((here, name), (there, next_name)) in enumerate(pairwise(steps))
        if not is_free
    ]
    schema = {"from_step": pl.String, "to_step": pl.String, "median_seconds": pl.Float64} | dict.fromkeys(
        ("reached", "went_on", "matured_reached", "matured_went_on"), pl.Int64
    )
    if not frames:
        return pl.DataFrame(schema=schema)
    watched = pl.concat(frames).filter(pl.col("waited").is_not_null())
    keys = ["place", "from_step", "to_step"]
    counted = watched.group_by(keys).agg(
        reached=pl.len().cast(pl.Int64),
        went_on=pl.col("is_event").sum().cast(pl.Int64),
        matured_reached=pl.col("is_closed").sum().cast(pl.Int64),
        matured_went_on=(pl.col("is_closed") & pl.col("is_event")).sum().cast(pl.Int64),
    )
    longest = int(single(watched, pl.col("waited").max()) or 0)
    medians = (
        kaplan_meier(watched.lazy(), by=keys, at=longest)
        .select(*keys, median_seconds=pl.col("quantile_0.5") / 1e6)
        .collect()
    )
    return counted.join(medians, on=keys, how="left").sort("place").select(schema.keys())


def leg(attempts: pl.DataFrame, here: int, there: int) -> pl.DataFrame:
    """Those who reached step `here`: whether they reached `there`, and how long they were watched from the former (µs)."""
    start, end = (pl.col("step_times").list.get(number - 1, null_on_oob=True) for number in (here, there))
    return (
        attempts.select("is_closed", "until", start=start, end=end)
        .filter(pl.col("start").is_not_null())
        .select(
            "is_closed",
            is_event=pl.col("end").is_not_null(),
            waited=(pl.coalesce("end", "until") - pl.col("start")).dt.total_microseconds().clip(lower_bound=0),
        )
    )


def compared_groups(
    breakdown: pl.DataFrame, mandatory: list[int], definition: Funnel | None, *, is_independent: bool
) -> tuple[Group, ...]:
    """Each breakdown with its values' entrants and conversions; compared with the rest where values do not overlap."""
    overlapping = {
        item.label
        for item in (definition.breakdowns if definition else ())
        if isinstance(item.as_of, AsOfStep) or item.as_of == "all_events"
    }
    at = {
        number: pl.col("reached").filter(pl.col("step_number") == number).sum().cast(pl.Int64)
        for number in (mandatory[0], mandatory[-1])
    }
    low, high = wilson("reached", "entered") if is_independent else (pl.lit(None, dtype=pl.Float64),) * 2
    groups = []
    for name in sorted(breakdown["breakdown"].unique().to_list()):
        rows = (
            breakdown.filter(pl.col("breakdown") == name)
            .group_by("value")
            .agg(entered=at[mandatory[0]], reached=at[mandatory[-1]])
            .filter(pl.col("entered") > 0)
            .sort("entered", "value", descending=[True, False])
            .with_columns(low=low, high=high)
        )
        is_tested = is_independent and name not in overlapping
        compared = (
            against_the_rest(rows)
            if is_tested
            else rows.with_columns(difference=pl.lit(None, dtype=pl.Float64), stands_out=pl.lit(None, dtype=pl.Boolean))
        )
        groups.append(Group(name, compared, is_tested))
    return tuple(groups)
