"""Funnels: who entered, how deep each attempt went and what became of it, by unit and by group."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from transforms.contracts import CORE_FUNNEL_DEFINITIONS, MART_FUNNEL_ENTRANT_GROUPS, MART_FUNNEL_ENTRANTS, TIME
from transforms.funnel_answer import funnel_answer
from transforms.funnel_attempts import FLAGS, judged_attempts
from transforms.funnel_chains import place_columns
from transforms.funnel_search import microseconds
from transforms.funnel_stream import (
    NOT_KNOWN,
    ROW,
    columns_needed,
    counted_events,
    funnel_stream,
    last_events,
    micros,
    property_text,
    step_columns,
    subject,
)
from transforms.journey import SEGMENT, Breakdown, Funnel

__all__ = ["columns_needed", "funnel_answer", "funnel_definitions", "funnel_entrant_groups", "funnel_entrants"]

HALF_HOUR = timedelta(minutes=30)
ENTRY_KEY = ("unit_id", "entered_at", "entry_source", "entry_event_id")


def funnel_entrants(
    events: pl.LazyFrame, funnel: Funnel, *, horizon: datetime | None, session_timeout: timedelta = HALF_HOUR
) -> pl.LazyFrame:
    """The attempts of a funnel that are counted: the first and the best of each unit, overall and of each entry day.

    In:  columns of core.events of whole units, in any order (see `columns_needed`). Robots, internal traffic, events
         without a unit and events after the horizon are left out.
    Out: MART_FUNNEL_ENTRANTS, sorted by its grain; with `attempt: all` also every attempt that the scan counts.

    The status of a best row is the unit's (open while any of its attempts may still go on), of any other row its own.
    Without a horizon no window is known to be closed. Source: semantics.md §8.
    """
    rows = entrant_rows(events, funnel, horizon=horizon, session_timeout=session_timeout)
    return MART_FUNNEL_ENTRANTS.conform(rows.lazy())


def funnel_entrant_groups(
    events: pl.LazyFrame,
    entrants: pl.LazyFrame,
    funnel: Funnel,
    *,
    horizon: datetime | None,
    session_timeout: timedelta = HALF_HOUR,
    in_segments: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """The groups of each breakdown to which the attempts of a funnel belong.

    In:  events as of `funnel_entrants`, and the MART_FUNNEL_ENTRANTS made of them; for breakdowns by a segment, what
         `segments_at_entry` says of these entrants.
    Out: MART_FUNNEL_ENTRANT_GROUPS, sorted by breakdown, entry and value. As of entry and by first or last touch every
         entrant is in one group; at a step and of all events a unit is searched again within each value, so groups do
         not add up.
    """
    by_label = sorted(funnel.breakdowns, key=lambda breakdown: breakdown.label)
    known = entrants.filter(pl.col("funnel") == funnel.name).sort(ENTRY_KEY).collect() if by_label else pl.DataFrame()
    as_entered = [breakdown for breakdown in by_label if breakdown.as_of == "entry"]
    if as_entered:
        key = {"unit_id": "unit_id", "entry_source": "source", "entry_event_id": "event_id"}
        values = entry_values(events, known, funnel, as_entered, horizon=horizon, in_segments=in_segments)
        known = known.join(
            values,
            left_on=list(key),
            right_on=list(key.values()),
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
    tables = [MART_FUNNEL_ENTRANT_GROUPS.empty()]
    for breakdown in by_label:
        if breakdown.as_of == "entry":
            tables.append(in_groups(known.with_columns(parts=parts_name(breakdown)), breakdown))
        elif breakdown.as_of in ("first_touch", "last_touch"):
            touched = touch_values(events, funnel, breakdown, horizon=horizon)
            tables.append(in_groups(known.join(touched, on="unit_id", how="left", maintain_order="left"), breakdown))
        else:
            rows = entrant_rows(events, funnel, horizon=horizon, session_timeout=session_timeout, split=breakdown)
            tables.append(in_groups(rows, breakdown).sort(*ENTRY_KEY, "value"))
    return pl.concat(tables).lazy()


def in_groups(entrants: pl.DataFrame, breakdown: Breakdown) -> pl.DataFrame:
    """Entrants with `parts` as rows of MART_FUNNEL_ENTRANT_GROUPS, in their order."""
    parts = pl.coalesce("parts", pl.lit([NOT_KNOWN] * len(breakdown.by)))
    named = entrants.with_columns(breakdown=pl.lit(breakdown.label), value_parts=parts, value=parts.list.join(" | "))
    return MART_FUNNEL_ENTRANT_GROUPS.conform(named.lazy()).collect()


def parts_name(breakdown: Breakdown) -> str:
    """The column of `entry_values` with the values of a breakdown."""
    return f"parts of {breakdown.label}"


def funnel_definitions(funnels: Sequence[Funnel], *, horizons: Mapping[str, datetime | None]) -> pl.DataFrame:
    """What each step of each funnel is.

    In:  the funnels, and the horizon of each by name.
    Out: CORE_FUNNEL_DEFINITIONS, in the order of the funnels and their steps.
    """
    rows = [
        {
            "funnel": funnel.name,
            "step_number": number,
            "step_name": step.label,
            "is_optional": step.optional,
            "unit": funnel.unit,
            "step_order": funnel.order,
            "window_seconds": None if funnel.window is None else funnel.window // timedelta(seconds=1),
            "attempt": funnel.attempt,
            "horizon": micros(horizons.get(funnel.name)),
            "definition": json.dumps(funnel.model_dump(mode="json", by_alias=True), sort_keys=True),
        }
        for funnel in funnels
        for number, step in enumerate(funnel.steps, start=1)
    ]
    schema = {**CORE_FUNNEL_DEFINITIONS.schema, "horizon": pl.Int64}
    return CORE_FUNNEL_DEFINITIONS.conform(pl.LazyFrame(rows, schema=schema)).collect()


# ---------------------------------------------------------------- rows


def entrant_rows(
    events: pl.LazyFrame,
    funnel: Funnel,
    *,
    horizon: datetime | None,
    session_timeout: timedelta,
    split: Breakdown | None = None,
) -> pl.DataFrame:
    """The columns of MART_FUNNEL_ENTRANTS, sorted by its grain, with `parts` where a breakdown splits units."""
    stream = funnel_stream(events, funnel, horizon=horizon, split=split).with_row_index("row")
    ends = None
    if funnel.unit == "session":
        closed_at = pl.col("last_at") + microseconds(session_timeout)
        ends = last_events(events, funnel, horizon=horizon).select("unit_id", closed_at=closed_at)
    attempts = judged_attempts(stream, funnel, ends=ends, horizon=horizon)
    if split is not None and not isinstance(split.as_of, str):
        attempts = attempts.filter(pl.col(place_columns(funnel)[split.as_of.step - 1]).is_not_null())
    return described(stream, by_unit_id(stream, attempts), funnel)


def by_unit_id(stream: pl.DataFrame, attempts: pl.DataFrame) -> pl.DataFrame:
    """Attempts that are in the order of the stream, in the order of their units' ids and then of their entries."""
    heads = stream.filter((pl.col("unit") != pl.col("unit").shift()).fill_null(True)).select("unit", "unit_id")
    if heads["unit_id"].is_sorted():
        return attempts
    ranked = heads.select("unit", rank=pl.col("unit_id").rank("dense"))
    return attempts.join(ranked, on="unit", how="left").sort("rank", "at", "entry").drop("rank")


def described(stream: pl.DataFrame, attempts: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """The attempts with the times and keys of the events that serve their steps."""
    places = place_columns(funnel)
    entries = stream.select("customer_id", "at", "source", "event_id", "^parts$").select(
        pl.all().gather(attempts["entry"])
    )
    serving = row_by_row(attempts.select(places))
    served = {
        name: in_rows(column.gather(serving), len(places))
        for name, column in {
            "step_times": stream["at"].cast(TIME),
            "step_sources": stream["source"],
            "step_event_ids": stream["event_id"],
        }.items()
    }
    deepest = pl.max_horizontal(
        pl.when(pl.col(place).is_not_null()).then(pl.lit(number, dtype=ROW))
        for number, place in enumerate(places, start=1)
    )
    return attempts.select(
        "unit_id", "entry_day", "status", *FLAGS,
        funnel=pl.lit(funnel.name),
        customer_id=entries["customer_id"],
        entered_at=entries["at"].cast(TIME),
        entry_source=entries["source"],
        entry_event_id=entries["event_id"],
        **served,
        depth=pl.col("mandatory") if funnel.order == "any" else deepest,
        closes_at=pl.col("closes").cast(TIME),
        parts=entries["parts"] if "parts" in entries.columns else pl.lit(None, dtype=pl.List(pl.String)),
    )  # fmt: skip


def row_by_row(frame: pl.DataFrame) -> pl.Series:
    """The values of a frame of one type, one row after the other."""
    height, width = frame.shape
    turn = pl.int_range(height * width, dtype=pl.Int64, eager=True)
    return pl.concat([frame[name].alias("value") for name in frame.columns]).gather(
        (turn % width) * height + turn // width
    )


def in_rows(values: pl.Series, width: int) -> pl.Series:
    """Lists of equal width from the values of one row after the other."""
    return values.reshape((len(values) // width, width)).arr.to_list()


# ---------------------------------------------------------------- values of a breakdown


def entry_values(
    events: pl.LazyFrame,
    entrants: pl.DataFrame,
    funnel: Funnel,
    breakdowns: Sequence[Breakdown],
    *,
    horizon: datetime | None,
    in_segments: pl.LazyFrame | None = None,
) -> pl.DataFrame:
    """unit_id, source, event_id, and for each breakdown its `parts_name`: properties on the step-1 events of some entrants, or their segments."""
    reach = with_keys(counted_events(events, funnel, horizon=horizon))
    entries = entrants.lazy().select("unit_id", source="entry_source", event_id="entry_event_id")
    entering = funnel.steps if funnel.order == "any" else funnel.steps[:1]
    begins = pl.any_horizontal([subject(step) for step in entering])
    found = reach.filter(begins).join(entries, on=["unit_id", "source", "event_id"], how="semi", nulls_equal=True)
    if in_segments is not None:
        found = with_segments(found, sorted({name for each in breakdowns for name in each.segments}), in_segments)
    text = property_text(set(found.collect_schema().names()))
    parts = [
        pl.concat_list([text(name).fill_null(NOT_KNOWN) for name in each.by]).alias(parts_name(each))
        for each in breakdowns
    ]
    return found.select("unit_id", "source", "event_id", *parts).collect()


def with_segments(entries: pl.LazyFrame, segments: Sequence[str], in_segments: pl.LazyFrame) -> pl.LazyFrame:
    """Step-1 events with a column for each of some segments: yes or no."""
    for name in segments:
        inside = in_segments.filter(pl.col("segment") == name).select(
            "customer_id", source="entry_source", event_id="entry_event_id", is_in=pl.lit(True)
        )
        told = pl.when(pl.col("is_in").fill_null(False)).then(pl.lit("yes")).otherwise(pl.lit("no"))
        entries = (
            entries.join(inside, on=["customer_id", "source", "event_id"], how="left", nulls_equal=True)
            .with_columns(told.alias(f"{SEGMENT}{name}"))
            .drop("is_in")
        )
    return entries


def touch_values(
    events: pl.LazyFrame, funnel: Funnel, breakdown: Breakdown, *, horizon: datetime | None
) -> pl.DataFrame:
    """unit_id, parts: the properties on each unit's first or last event that serves a step and has any of them."""
    stream = funnel_stream(events, funnel, horizon=horizon, split=breakdown)
    is_set = pl.col("parts").list.eval(pl.element() != NOT_KNOWN).list.any()
    matched = stream.filter(pl.any_horizontal(step_columns(funnel)) & is_set).sort("order")
    keep = "first" if breakdown.as_of == "first_touch" else "last"
    return matched.unique("unit_id", keep=keep, maintain_order=True).select("unit_id", "parts")  # type: ignore[arg-type]


def with_keys(events: pl.LazyFrame) -> pl.LazyFrame:
    """Events with the columns of their key, null where the source gives none."""
    names = events.collect_schema().names()
    return events.with_columns(
        pl.lit(None, dtype=pl.String).alias(name) for name in ("source", "event_id") if name not in names
    )
