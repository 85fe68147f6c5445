"""Conversion: how customers move from stage to stage, and the key figures of the journey."""

from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from transforms.contracts import (
    MART_KPIS,
    MART_STAGE_CONVERSION,
    MART_STAGE_TRANSITIONS,
    MART_STAGE_VELOCITY,
)
from transforms.journey import Journey, Kpi
from transforms.statistics import exported, kaplan_meier, rate, too_few
from transforms.waits import MICROSECOND, stage_waits

START = "(start)"
STILL_THERE = "(still there)"
NO_WINDOW = timedelta(days=365_000) // MICROSECOND
QUARTILES = {"quartile_1_days": 0.25, "median_days": 0.5, "quartile_3_days": 0.75}
PAIR = ("from_stage", "to_stage")
IN_WORDS = pl.col(PAIR).cast(pl.String)


def stage_conversion(
    entries: pl.LazyFrame,
    *,
    journey: Journey,
    horizon: datetime | None,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
) -> pl.LazyFrame:
    """Of the customers who entered a stage, how many reached each later stage within the journey's stage window.

    In:  CORE_STAGE_ENTRIES; `horizon`, the newest instant up to which the sources are complete (None: no events);
         `time_from` (inclusive) and `time_to` (exclusive) limit the entries that make a cohort.
    Out: MART_STAGE_CONVERSION, one row per pair of an earlier and a later stage, zeros shown, in order of the journey.

    A cohort is the customers by their first entry into the stage in the range. Without a window there is only "so far":
    the matured and projected columns are null. Source: semantics.md §9 and §10.
    """
    window = journey.stage_window
    waits = stage_waits(entries, journey=journey, horizon=horizon, window=window, time_from=time_from, time_to=time_to)
    counts = waits.group_by(PAIR).agg(
        entered=pl.len(),
        reached=pl.col("is_event").sum(),
        matured_entered=pl.col("is_closed").sum(),
        matured_reached=(pl.col("is_closed") & pl.col("is_event")).sum(),
    )
    at = NO_WINDOW if window is None else window // MICROSECOND
    curve = kaplan_meier(waits, by=PAIR, at=at).with_columns(median_seconds=pl.col("quantile_0.5") // 1_000_000)
    filled = (
        _stage_pairs(journey)
        .join(counts.with_columns(IN_WORDS), on=PAIR, how="left")
        .join(curve.with_columns(IN_WORDS), on=PAIR, how="left")
        .with_columns(pl.col("entered", "reached", "matured_entered", "matured_reached").fill_null(0))
        .with_columns(window_seconds=pl.lit(None if window is None else int(window.total_seconds()), dtype=pl.Int64))
    )
    if window is None:
        unknown = ("matured_entered", "matured_reached", "projected_rate", "projected_error")
        filled = filled.with_columns(pl.lit(None).alias(name) for name in unknown)
    return MART_STAGE_CONVERSION.conform(filled.sort("from_stage_number", "to_stage_number"))


def stage_velocity(entries: pl.LazyFrame, *, journey: Journey, horizon: datetime | None) -> pl.LazyFrame:
    """How long customers take from their first entry into a stage to each later stage.

    In:  CORE_STAGE_ENTRIES; `horizon`, the newest instant up to which the sources are complete.
    Out: MART_STAGE_VELOCITY, one row per pair of an earlier and a later stage, zeros shown, in order of the journey.

    Who has not got there is watched up to the horizon, so that the slow count as slow. Source: semantics.md §9 and §10.
    """
    waits = stage_waits(entries, journey=journey, horizon=horizon, window=None)
    counts = waits.group_by(PAIR).agg(entered=pl.len(), reached=pl.col("is_event").sum())
    curve = kaplan_meier(waits, by=PAIR, at=NO_WINDOW, quantiles=tuple(QUARTILES.values()))
    filled = (
        _stage_pairs(journey)
        .join(counts.with_columns(IN_WORDS), on=PAIR, how="left")
        .join(curve.with_columns(IN_WORDS), on=PAIR, how="left")
        .with_columns(pl.col("entered", "reached").fill_null(0))
        .with_columns(waiting=pl.col("entered") - pl.col("reached"), **quartile_days())
    )
    return MART_STAGE_VELOCITY.conform(filled.sort("from_stage_number", "to_stage_number"))


def quartile_days() -> dict[str, pl.Expr]:
    """The quartiles that `kaplan_meier` found in microseconds, in days."""
    return {
        name: exported(pl.col(f"quantile_{share}") / (timedelta(days=1) // MICROSECOND))
        for name, share in QUARTILES.items()
    }


def stage_transitions(entries: pl.LazyFrame, *, journey: Journey) -> pl.LazyFrame:
    """Count the moves between stages.

    In:  CORE_STAGE_ENTRIES of whole customers.
    Out: MART_STAGE_TRANSITIONS, only moves that happened, in order of the journey, from "(start)" to "(still there)".

    The time of a move is what was spent in the stage left; its median is the nearest rank (the lower of two middles).
    """
    entered_before = pl.col("entered_at").shift().over("customer_id", order_by="entry_number")
    moves = entries.select(
        "customer_id",
        "direction",
        from_stage=pl.col("from_stage").fill_null(START),
        to_stage="stage",
        seconds=_elapsed(pl.col("entered_at"), since=entered_before).dt.total_seconds(),
    )
    endings = entries.filter(pl.col("left_at").is_null()).select(
        "customer_id",
        direction=pl.lit(None, dtype=pl.String),
        from_stage="stage",
        to_stage=pl.lit(STILL_THERE),
        seconds=pl.lit(None, dtype=pl.Int64),
    )
    counted = (
        pl.concat([moves, endings])
        .group_by(PAIR)
        .agg(
            direction=pl.when(pl.col("from_stage").first() != START).then(pl.col("direction").min()),
            moves=pl.len(),
            customers=pl.col("customer_id").n_unique(),
            median_seconds=pl.col("seconds").quantile(0.5, interpolation="lower"),
        )
    )
    order = [START, *journey.stage_names, STILL_THERE]
    place = {name: number for number, name in enumerate(order)}
    places = [pl.col(name).replace_strict(place, default=len(order)) for name in PAIR]
    return MART_STAGE_TRANSITIONS.conform(counted.sort(*places, *PAIR))


def kpis(
    *,
    journey: Journey,
    conversion: pl.LazyFrame,
    entries: pl.LazyFrame,
    customers: pl.LazyFrame,
    sessions: pl.LazyFrame,
) -> pl.LazyFrame:
    """The key figures of journey.yaml, with what was aimed for.

    In:  MART_STAGE_CONVERSION, CORE_STAGE_ENTRIES, CORE_CUSTOMERS, CORE_SESSIONS.
    Out: MART_KPIS, one row per figure in the order of journey.yaml.

    stage_conversion    of those who entered the stage, who reached the next one within the window; matured (so far
                        without a window); 0 of 0 for the last stage
    stage_reach         of the customers with any event, who ever entered the stage
    lead_conversion     of the customers with a CRM lead or contact, those with a conversion; the stage only files it
    visitor_conversion  of the customers seen with a browser or device (each person once), those with a conversion; likewise
    bounce_rate         of the sessions whose first mapped event is of the stage, those of one event; lower is better
    repeat_rate         of the purchasers, those with two conversions or more

    Source: semantics.md §10.
    """
    facts = Facts(_onward(conversion, journey), entries, customers, sessions)
    frames = [
        _figure(kpi, stage, facts)
        .with_columns(
            place=pl.lit(place),
            stage=pl.lit(stage),
            metric=pl.lit(kpi.metric),
            target=pl.lit(kpi.target, dtype=pl.Float64),
            owner=pl.lit(kpi.owner),
        )
        .with_columns(value=exported(rate("numerator", "denominator")), status=_status(kpi))
        for place, kpi in enumerate(journey.kpis)
        for stage in [journey.stage_named(kpi.stage, f"kpi '{kpi.metric}'")]
    ]
    if not frames:
        return MART_KPIS.empty().lazy()
    return MART_KPIS.conform(pl.concat(frames).sort("place"))


# ---------------------------------------------------------------- pieces of stage conversion


def _elapsed(until: pl.Expr, *, since: pl.Expr) -> pl.Expr:
    """Time from one entry to a later one: none where the later is a bare date, midnight of the day of a timed entry."""
    return pl.max_horizontal(until, since) - since


def _stage_pairs(journey: Journey) -> pl.LazyFrame:
    """Every earlier and later stage of the journey, with their places."""
    names = list(enumerate(journey.stage_names, start=1))
    rows = [(here, n, there, m) for n, here in names for m, there in names if n < m]
    schema = {
        "from_stage": pl.String,
        "from_stage_number": pl.UInt32,
        "to_stage": pl.String,
        "to_stage_number": pl.UInt32,
    }
    return pl.LazyFrame(rows, schema=schema, orient="row")


# ---------------------------------------------------------------- figures, one by one


class Facts(NamedTuple):
    """The frames that figures are counted on."""

    onward: pl.LazyFrame
    entries: pl.LazyFrame
    customers: pl.LazyFrame
    sessions: pl.LazyFrame


def _figure(kpi: Kpi, stage: str, facts: Facts) -> pl.LazyFrame:
    """One row with numerator and denominator of a figure."""
    match kpi.metric:
        case "stage_conversion":
            here = facts.onward.filter(pl.col("from_stage") == stage)
            return _counts(here, numerator=pl.col("reached").sum(), denominator=pl.col("entered").sum())
        case "stage_reach":
            entered = facts.entries.filter(pl.col("stage") == stage).select("customer_id").unique()
            return _share_that_entered(facts.customers.filter(pl.col("event_count") > 0), entered)
        case "lead_conversion":
            return _share_that_bought(facts.customers.filter(pl.col("is_lead")))
        case "visitor_conversion":
            return _share_that_bought(facts.customers.filter(pl.col("visitor_count") > 0))
        case "bounce_rate":
            begun = facts.sessions.filter(pl.col("first_stage") == stage)
            return _counts(begun, numerator=pl.col("is_bounce").sum(), denominator=pl.len())
        case "repeat_rate":
            purchases = pl.col("purchase_count")
            return _counts(facts.customers, numerator=(purchases >= 2).sum(), denominator=(purchases >= 1).sum())


def _onward(conversion: pl.LazyFrame, journey: Journey) -> pl.LazyFrame:
    """Of each stage, who entered it and reached the next: matured, or so far where the journey has no window."""
    next_only = conversion.filter(pl.col("to_stage_number") == pl.col("from_stage_number") + 1)
    if journey.stage_window is None:
        return next_only.select("from_stage", "entered", "reached")
    return next_only.select("from_stage", entered="matured_entered", reached="matured_reached")


def _share_that_entered(whole: pl.LazyFrame, entered: pl.LazyFrame) -> pl.LazyFrame:
    found = whole.select("customer_id").join(entered.with_columns(is_in=True), on="customer_id", how="left")
    return _counts(found, numerator=pl.col("is_in").sum(), denominator=pl.len())


def _share_that_bought(whole: pl.LazyFrame) -> pl.LazyFrame:
    return _counts(whole, numerator=(pl.col("purchase_count") > 0).sum(), denominator=pl.len())


def _counts(frame: pl.LazyFrame, *, numerator: pl.Expr, denominator: pl.Expr) -> pl.LazyFrame:
    return frame.select(numerator=numerator.cast(pl.Int64), denominator=denominator.cast(pl.Int64))


def _status(kpi: Kpi) -> pl.Expr:
    value, target = rate("numerator", "denominator"), pl.col("target")
    is_met = value <= target if kpi.metric == "bounce_rate" else value >= target
    verdict = pl.when(is_met).then(pl.lit("met")).when(~is_met).then(pl.lit("missed"))
    return pl.when(too_few("denominator")).then(pl.lit("too few to say")).otherwise(verdict)
