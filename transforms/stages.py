"""Stages: which stage, phase and touchpoint an event maps to, and each customer's way through the stages."""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import polars as pl

from transforms.contracts import CORE_EVENTS, CORE_STAGE_ENTRIES
from transforms.journey import Journey, When
from transforms.kernels import changed, distinct_rows, place_within, run_whole
from transforms.predicates import PropertyOf, glob_pattern, json_property, json_property_path, where_expr

ENTRY_INPUT = (
    "customer_id", "event_number", "source", "event_id", "event", "occurred_at", "time_precision", "stage", "phase",
    "touchpoint", "channel", "is_counted", "is_stage_entry",
)  # fmt: skip
PROPERTY = "property "


class Rule(NamedTuple):
    """One rule of the journey: an event that passes `when` is this touchpoint, of this stage and phase."""

    stage: str
    stage_number: int
    phase: str | None
    touchpoint: str
    when: When


def rules_of(journey: Journey) -> list[Rule]:
    """The rules in the order in which they are tried: stage by stage, a stage's own touchpoints before its phases'."""
    rules = []
    for number, stage in enumerate(journey.stages, 1):
        phases = [(None, stage.touchpoints), *((phase.name, phase.touchpoints) for phase in stage.phases)]
        rules += [
            Rule(stage.name, number, phase, touchpoint.name, touchpoint.when)
            for phase, touchpoints in phases
            for touchpoint in touchpoints
        ]
    return rules


def stage_number(journey: Journey) -> pl.Expr:
    """The place of column `stage` in the journey, from 1; null for no stage."""
    names = pl.Series(journey.stage_names, dtype=pl.String)
    places = pl.int_range(1, len(names) + 1, dtype=pl.UInt32, eager=True)
    return pl.col("stage").replace_strict(names, places, default=None, return_dtype=pl.UInt32)


# ---------------------------------------------------------------- rules


def matches(when: When, *, channel: str = "channel", property_of: PropertyOf | None = None) -> pl.Expr:
    """True where an event passes every key of a `when`; never null.

    On columns of CORE_EVENTS; `channel` names the column that says how the customer came with this very event, and
    `property_of` says how a property is read (by default as `event_property` does).
    """
    listed = {
        "source": when.source,
        "event": when.event,
        channel: when.channel,
        "object": when.object,
        "state": when.state,
    }
    conditions = [_is_one_of(pl.col(column), names) for column, names in listed.items() if names]
    if when.status is not None:
        conditions.append(pl.col("is_customer") == (when.status == "customer"))
    conditions += [
        _fits(pl.col(name), globs) for name, globs in (("hostname", when.hostname), ("path", when.path)) if globs
    ]
    held = pl.all_horizontal(pl.lit(True), *conditions).fill_null(False)
    return held & where_expr(when.where, property_of or event_property)


def event_property(name: str) -> pl.Expr:
    """The text of a property of an event: a column of CORE_EVENTS, else a key of `properties`; null where it is missing."""
    if name in CORE_EVENTS.schema:
        return pl.col(name).cast(pl.String)
    return json_property(name)


def match_rules(timeline: pl.DataFrame, *, rules: Sequence[Rule], channel: str) -> pl.DataFrame:
    """Map each event by the first rule that it passes.

    In:  columns of CORE_EVENTS, and `channel`: the column that says how the customer came with this very event.
    Out: the same rows in the same order: stage, stage_number, phase, touchpoint; null where no rule applies.
    """
    conditions = [matches(rule.when, channel=channel, property_of=_read_property) for rule in rules]
    asked = {name for condition in conditions for name in condition.meta.root_names()}
    seen, place = distinct_rows(timeline.select("event", *(_read(name, rules) for name in sorted(asked - {"event"}))))
    passed = {f"rule {at}": pl.when(each).then(pl.lit(at, pl.UInt32)) for at, each in enumerate(conditions)}
    first = seen.with_columns(none=pl.lit(None, pl.UInt32), **passed).select(pl.coalesce(*passed, "none")).to_series()
    names = pl.DataFrame(
        [(rule.stage, rule.stage_number, rule.phase, rule.touchpoint) for rule in rules],
        schema={"stage": pl.String, "stage_number": pl.UInt32, "phase": pl.String, "touchpoint": pl.String},
        orient="row",
    )
    return pl.DataFrame([names[column].gather(first.gather(place)) for column in names.columns])


def _is_one_of(column: pl.Expr, names: Sequence[str]) -> pl.Expr:
    return column == names[0] if len(names) == 1 else column.is_in(list(names))


def _fits(text: pl.Expr, patterns: Sequence[str]) -> pl.Expr:
    """True where a text fits one of the globs."""
    return pl.any_horizontal([_fits_one(text, pattern) for pattern in patterns])


def _fits_one(text: pl.Expr, pattern: str) -> pl.Expr:
    """As `glob_pattern` reads it; a plain text, and one with `/**` at its end, are compared without a regular expression."""
    folder = pattern.removesuffix("/**")
    if re.search(r"[*?]", folder):
        return text.str.contains(glob_pattern(pattern))
    return text == pattern if folder == pattern else (text == folder) | text.str.starts_with(f"{folder}/")


def _read(column: str, rules: Sequence[Rule]) -> pl.Expr:
    """A column that conditions look at; a key of `properties` is taken out where a rule asks for it."""
    if not column.startswith(PROPERTY):
        return pl.col(column)
    name = column.removeprefix(PROPERTY)
    asking = [rule.when for rule in rules if name in rule.when.where]
    events = sorted({event for when in asking for event in when.event})
    is_asked = pl.col("event").is_in(events) if all(when.event for when in asking) else pl.lit(True)
    return pl.when(is_asked).then("properties").str.json_path_match(json_property_path(name)).alias(column)


def _read_property(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if name in CORE_EVENTS.schema else pl.col(f"{PROPERTY}{name}")


# ---------------------------------------------------------------- entries


def entering_places(timeline: pl.DataFrame) -> pl.Series:
    """The places of the events that move a customer into another stage.

    In:  the timeline in total order: place, customer, moment (its instant, or its day for a date), is_counted,
         stage_number.

    The mapped, counted events of one moment apply in stage order; an event enters when its stage differs from the one
    that applied before it.
    """
    mapped = timeline.filter(pl.col("is_counted") & pl.col("stage_number").is_not_null())
    applied = mapped.select("place", "customer", "moment", "stage_number").sort(
        "customer", "moment", "stage_number", "place"
    )
    return applied.filter(changed(["customer", "stage_number"]))["place"].sort()


def stage_entries(events: pl.LazyFrame, *, journey: Journey) -> pl.LazyFrame:
    """List each customer's moves between stages.

    In:  CORE_EVENTS of whole customers, in any order.
    Out: CORE_STAGE_ENTRIES, ordered by (customer_id, entry_number). semantics.md §7.
    """
    entering = events.filter(pl.col("is_stage_entry") & pl.col("is_counted"))
    return run_whole(
        entering, partial(_list_entries, journey=journey), reads=ENTRY_INPUT, gives=CORE_STAGE_ENTRIES.schema
    )


def _list_entries(entering: pl.DataFrame, *, journey: Journey) -> pl.DataFrame:
    moment = changed(["customer_id", "occurred_at", "time_precision"]).cast(pl.UInt32).cum_sum()
    applied = (
        entering.sort("customer_id", "event_number")
        .with_columns(moment=moment, stage_number=stage_number(journey))
        .sort("moment", "stage_number", "event_number")
        .with_columns(is_new=changed(["customer_id"]), entered_at=pl.col("occurred_at").cum_max().over("customer_id"))
    )
    before = [pl.when(~pl.col("is_new")).then(pl.col(name).shift()) for name in ("stage", "stage_number")]
    left_at = pl.when(~pl.col("is_new").shift(-1, fill_value=True)).then(pl.col("entered_at").shift(-1))
    entries = applied.with_columns(
        entry_number=place_within("customer_id"),
        from_stage=before[0],
        direction=_direction(pl.col("stage_number").cast(pl.Int64), before[1].cast(pl.Int64)),
        left_at=left_at,
        is_first=pl.struct("customer_id", "stage").is_first_distinct(),
    )
    return CORE_STAGE_ENTRIES.conform(entries.lazy()).collect(engine="in-memory")


def _direction(stage: pl.Expr, before: pl.Expr) -> pl.Expr:
    """forward by one, skip by more, back by less; a first entry comes from before stage 1."""
    steps = stage - before.fill_null(0)
    return pl.when(steps < 0).then(pl.lit("back")).when(steps == 1).then(pl.lit("forward")).otherwise(pl.lit("skip"))
