"""The funnel stream: the events that matter to one funnel, with what each may serve, in the order the search needs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

import polars as pl

from transforms.contracts import CORE_EVENTS, TIME
from transforms.journey import SEGMENT, AsOfStep, Breakdown, Funnel, Step
from transforms.kernels import number_of_each, places_by
from transforms.predicates import PropertyOf, json_property, where_expr

NOT_KNOWN = "(not known)"
PART_SEPARATOR = "\x1f"
UNIT_COLUMNS = {"customer": "customer_id", "session": "session_id", "account": "account_id"}
OWNERS = {"customer.": "customer_id", "account.": "account_id"}
ROW = pl.UInt32


def columns_needed(funnel: Funnel) -> set[str]:
    """The columns of core.events that the funnel's kernel must be given; other properties need `properties`."""
    wanted = {
        "customer_id",
        UNIT_COLUMNS[funnel.unit],
        "occurred_at",
        "seq",
        "source",
        "event_id",
        "event",
        "is_counted",
    }
    for name in asked_properties(funnel):
        owner, base = owned_property(name)
        wanted.add(base if base in CORE_EVENTS.schema else "properties")
        if owner is not None:
            wanted.add(owner)
    if any(step.stage for step in funnel.steps):
        wanted.add("stage")
    if any(step.enter for step in funnel.steps):
        wanted.add("is_stage_entry")
    return wanted


def asked_properties(funnel: Funnel) -> list[str]:
    """The properties that filters, breakdowns and `hold_constant` name; segments are none."""
    filters = [*(step.where for step in funnel.steps), *(item.where for item in funnel.exclusions)]
    groups = [*(breakdown.by for breakdown in funnel.breakdowns), funnel.hold_constant]
    return sorted({name for part in (*filters, *groups) for name in part if not name.startswith(SEGMENT)})


def owned_property(name: str) -> tuple[str | None, str]:
    """Whose property it is and its bare name: `customer.plan` is the customer's plan as last set, `plan` the event's own."""
    for prefix, owner in OWNERS.items():
        if name.startswith(prefix):
            return owner, name.removeprefix(prefix)
    return None, name


def spans_customers(funnel: Funnel) -> bool:
    """True where what becomes of a unit depends on events of several customers: of accounts, and of what was said of an account."""
    return funnel.unit == "account" or any(owned_property(name)[0] == "account_id" for name in asked_properties(funnel))


def property_text(columns: set[str]) -> PropertyOf:
    """How to read a property as text: a column of that name, else a key of `properties`; null where it is missing."""

    def text(name: str) -> pl.Expr:
        if name in columns:
            return pl.col(name).cast(pl.String)
        if "properties" in columns:
            return json_property(name)
        return pl.lit(None, dtype=pl.String)

    return text


def micros(instant: datetime | None) -> int | None:
    """An instant as microseconds since 1970 (UTC); None stays None."""
    if instant is None:
        return None
    aware = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def step_columns(funnel: Funnel) -> list[str]:
    """Names of the columns that say which step an event may serve."""
    return [f"step_{number}" for number in range(1, len(funnel.steps) + 1)]


def cut_columns(funnel: Funnel) -> list[str]:
    """Names of the columns that say which exclusion an event is."""
    return [f"cut_{number}" for number in range(1, len(funnel.exclusions) + 1)]


def funnel_stream(
    events: pl.LazyFrame, funnel: Funnel, *, horizon: datetime | None, split: Breakdown | None = None
) -> pl.DataFrame:
    """The events that may serve a step or are excluded (in strict order: all events), of whole units.

    In:  columns of core.events, see `columns_needed`; rows that are not counted, have no unit or lie after the horizon
         are left out.
    Out: sorted by unit, instant and event key: unit (a number), unit_id, customer_id, at (microseconds), source, event_id,
         order (place in the total order), step_1…, cut_1…, hold (what must be equal, null for none), enters (may begin an
         attempt), and parts (values of the breakdown) where a breakdown splits units.

    `split` is a breakdown at a step (a unit is searched once per value of that step's events) or of all events (a unit's
    events of one value are a unit of their own).
    """
    reach = counted_events(events, funnel, horizon=horizon)
    asked = pl.any_horizontal("^(step|cut|kind)_.*$") if funnel.order != "strict" else pl.lit(True)
    stream = (
        reach.select(served_columns(reach, funnel, split))
        .filter(asked)
        .collect()
        .with_columns(repeated_columns(funnel, split))
    )
    stream = hold_first_times(stream, funnel)
    if funnel.range == "all":
        stream = stream.filter(in_range(funnel))
    if funnel.hold_constant:
        stream = stream.with_columns(pl.col(step_columns(funnel)) & pl.col("hold").is_not_null())
    if split is not None and isinstance(split.as_of, AsOfStep):
        stream = split_by_step(stream, step_columns(funnel)[split.as_of.step - 1])
    if funnel.order != "strict":
        stream = where_any(stream, "^(step|cut)_.*$")
    first = pl.any_horizontal(step_columns(funnel)) if funnel.order == "any" else pl.col("step_1")
    return in_search_order(stream.with_columns(enters=first & in_range(funnel)))


def where_any(stream: pl.DataFrame, columns: str) -> pl.DataFrame:
    """The rows in which any of some columns is true."""
    kept = stream.select(pl.any_horizontal(columns)).to_series()
    return stream if kept.all() else stream.filter(kept)


def counted_events(events: pl.LazyFrame, funnel: Funnel, *, horizon: datetime | None) -> pl.LazyFrame:
    """The events a funnel may look at, with unit_id, `at` and the properties of customers and accounts it asks for."""
    columns = set(events.collect_schema().names())
    unit = UNIT_COLUMNS[funnel.unit]
    events = events.filter(pl.col(unit).is_not_null())
    if "is_counted" in columns:
        events = events.filter(pl.col("is_counted").fill_null(True))
    if horizon is not None:
        events = events.filter(pl.col("occurred_at") <= pl.lit(micros(horizon)).cast(TIME))
    for name in asked_properties(funnel):
        owner, base = owned_property(name)
        if owner is not None:
            events = with_last_set(events, name, owner, base)
    return events.with_columns(unit_id=pl.col(unit), at=pl.col("occurred_at").cast(TIME).to_physical())


def with_last_set(events: pl.LazyFrame, name: str, owner: str, base: str) -> pl.LazyFrame:
    """Events with a property of their customer or account as last set, on any event, at or before theirs."""
    columns = set(events.collect_schema().names())
    order = [column for column in ("occurred_at", "seq", "source", "event_id") if column in columns]
    settings = (
        events.select(owner, *order, property_text(columns)(base).alias(name))
        .drop_nulls([owner, name])
        .sort(order, nulls_last=False)
        .unique([owner, "occurred_at"], keep="last", maintain_order=True)
        .select(owner, "occurred_at", name)
        .sort("occurred_at")
    )
    return events.sort("occurred_at").join_asof(
        settings, on="occurred_at", by=owner, strategy="backward", check_sortedness=False
    )


def last_events(events: pl.LazyFrame, funnel: Funnel, *, horizon: datetime | None) -> pl.DataFrame:
    """unit_id, last_at: the last event of each unit up to the horizon."""
    reach = counted_events(events, funnel, horizon=horizon)
    return reach.group_by("unit_id").agg(last_at=pl.col("at").max()).collect()


def served_columns(reach: pl.LazyFrame, funnel: Funnel, split: Breakdown | None) -> list[pl.Expr]:
    """What each event may serve, before the rules that need other events."""
    columns = set(reach.collect_schema().names())
    text = property_text(columns)
    plain = [
        pl.col(name) if name in columns else pl.lit(None, dtype=CORE_EVENTS.schema[name]).alias(name)
        for name in ("seq", "source", "event_id", *(() if funnel.unit == "customer" else ("customer_id",)))
    ]
    steps = [
        (subject(step) & where_expr(step.where, text)).fill_null(False).alias(name)
        for step, name in zip(funnel.steps, step_columns(funnel), strict=True)
    ]
    cuts = [
        ((pl.col("event") == item.event) & where_expr(item.where, text)).fill_null(False).alias(name)
        for item, name in zip(funnel.exclusions, cut_columns(funnel), strict=True)
    ]
    kinds = [
        subject(step).fill_null(False).alias(f"kind_{number}")
        for number, step in enumerate(funnel.steps, start=1)
        if step.first_time == "event"
    ]
    held = [text(name) for name in funnel.hold_constant]
    hold = [pl.concat_str(held, separator=PART_SEPARATOR).alias("hold")] if held else []
    parts = (
        [] if split is None else [pl.concat_list([text(name).fill_null(NOT_KNOWN) for name in split.by]).alias("parts")]
    )
    units = [unit_text(text, split)] if splits_events(split) else []
    return ["unit_id", "at", *plain, *steps, *cuts, *kinds, *hold, *parts, *units]  # type: ignore[list-item]


def unit_text(text: PropertyOf, split: Breakdown) -> pl.Expr:
    """A text for each unit and value of a breakdown of all events."""
    values = [text(name).fill_null(NOT_KNOWN) for name in split.by]
    return pl.concat_str(pl.col("unit_id").cast(pl.String), *values, separator=PART_SEPARATOR).alias("unit_text")


def splits_events(split: Breakdown | None) -> TypeGuard[Breakdown]:
    """Whether a unit's events of one value are a unit of their own."""
    return split is not None and split.as_of == "all_events"


def repeated_columns(funnel: Funnel, split: Breakdown | None) -> list[pl.Expr]:
    """The columns of a stream that only repeat another one or one value: they cost nothing once the rows are chosen."""
    same = [] if splits_events(split) else [pl.col("unit_id").cast(pl.String).alias("unit_text")]
    same += [pl.col("unit_id").alias("customer_id")] if funnel.unit == "customer" else []
    return same if funnel.hold_constant else [*same, pl.lit("").alias("hold")]


def subject(step: Step) -> pl.Expr:
    """The kind of event a step asks for, without its filters."""
    if step.event is not None:
        return pl.col("event") == step.event
    if step.stage is not None:
        of_stage = pl.col("stage") == step.stage
        return of_stage & pl.col("is_stage_entry") if step.enter else of_stage
    return pl.lit(True)


def in_range(funnel: Funnel) -> pl.Expr:
    """Whether an event lies in the funnel's range (half-open)."""
    start, end = micros(funnel.starts_at), micros(funnel.ends_at)
    conditions = [pl.lit(True)]
    if start is not None:
        conditions.append(pl.col("at") >= start)
    if end is not None:
        conditions.append(pl.col("at") < end)
    return pl.all_horizontal(conditions)


def hold_first_times(stream: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """Keep of a step that asks for a first time only the unit's first event, over everything to the horizon."""
    for number, step in enumerate(funnel.steps, start=1):
        if step.first_time is None:
            continue
        candidates = f"kind_{number}" if step.first_time == "event" else f"step_{number}"
        stream = stream.with_row_index("row")
        firsts = (
            stream.filter(candidates)
            .sort("unit_text", "at", "seq", "source", "event_id", nulls_last=False)
            .unique("unit_text", keep="first", maintain_order=True)
        )
        is_first = pl.col("row").is_in(firsts["row"].implode())
        stream = stream.with_columns(pl.col(f"step_{number}") & is_first).drop("row")
    return stream


def split_by_step(stream: pl.DataFrame, step: str) -> pl.DataFrame:
    """Each unit once per value of its events that may serve a step; there the step is held to that value."""
    key = pl.col("parts").list.join(PART_SEPARATOR)
    keyed = stream.with_columns(key=key)
    values = (
        keyed.filter(step).select("unit_text", held_parts="parts", held_key="key").unique(["unit_text", "held_key"])
    )
    return (
        keyed.join(values, on="unit_text")
        .with_columns(pl.col(step) & (pl.col("key") == pl.col("held_key")))
        .with_columns(
            parts=pl.col("held_parts"), unit_text=pl.concat_str("unit_text", "held_key", separator=PART_SEPARATOR)
        )
        .drop("key", "held_key", "held_parts")
    )


def in_search_order(stream: pl.DataFrame) -> pl.DataFrame:
    """Sort by unit, instant and event key, number the units, and note each event's place in the total order."""
    numbered = stream.with_columns(unit=pl.col("unit_text").rle_id())
    if not is_by_unit_and_time(numbered):
        codes = number_of_each(stream.select("unit_text"))
        order = places_by(codes, stream["at"])
        numbered = stream.with_columns(unit=codes)[order].with_columns(unit=pl.col("unit").rle_id())
    stream = order_ties(numbered.drop("unit_text"), ["unit", "at", "source", "event_id"])
    rows: pl.Series = pl.int_range(stream.height, dtype=ROW, eager=True)
    stream = stream.with_columns(order=rows)
    if stream["seq"].null_count() < stream.height:
        places = order_ties(stream, ["unit", "at", "seq", "source", "event_id"])["order"]
        stream = stream.with_columns(order=rows.scatter(places, rows))
    return stream.drop("seq")


def is_by_unit_and_time(numbered: pl.DataFrame) -> bool:
    """Whether the runs of equal units are the units, in order, each ascending in time (core.events is stored so)."""
    new = (pl.col("unit") != pl.col("unit").shift()).fill_null(True)
    if not numbered.select((new | (pl.col("at") >= pl.col("at").shift())).all()).item():
        return False
    heads = numbered.select(pl.col("unit_text").filter(new)).to_series()
    return heads.is_sorted() and not bool((heads == heads.shift()).any())


def order_ties(stream: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """A stream sorted by unit and instant, sorted by all of `by`: only events that share an instant have to move."""
    same = ((pl.col("unit") == pl.col("unit").shift()) & (pl.col("at") == pl.col("at").shift())).fill_null(False)
    tied = stream.select(same | same.shift(-1, fill_value=False)).to_series().arg_true()
    if tied.is_empty():
        return stream
    moved = stream[tied].with_columns(row=tied).sort(*by, nulls_last=False)["row"]
    rows: pl.Series = pl.int_range(stream.height, dtype=ROW, eager=True).scatter(tied, moved)
    return stream.select(pl.all().gather(rows))
