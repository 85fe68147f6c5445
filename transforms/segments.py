"""Segments: the named groups of customers of journey.yaml."""

from collections.abc import Callable, Sequence

import polars as pl

from transforms.contracts import CORE_CUSTOMER_SEGMENTS, CORE_CUSTOMERS
from transforms.journey import KNOWN_AT_ENTRY, Deed, Segment, When, with_those_asked_for
from transforms.predicates import where_expr
from transforms.stages import event_property

Matches = Callable[[When], pl.Expr]

ENTRY = ("customer_id", "entry_source", "entry_event_id")
MOMENT = ("customer_id", "event_number")
IS_IN = "is in "
ALL_THERE_IS = pl.lit(2**32 - 1, dtype=pl.UInt32)
TOLD_BY = (
    "customer_id", "event_number", "source", "event_id", "occurred_at", "time_precision", "account_id", "is_counted",
    "is_conversion", "is_stage_entry", "stage",
)  # fmt: skip


def customer_segments(
    customers: pl.LazyFrame, events: pl.LazyFrame, *, segments: Sequence[Segment], matches: Matches
) -> pl.LazyFrame:
    """Which segments each customer is in, as of the horizon.

    In:  CORE_CUSTOMERS, CORE_EVENTS of the same customers; `matches` reads a rule's `when` (transforms/stages.py).
    Out: CORE_CUSTOMER_SEGMENTS, ordered by its key.

    A customer is in a segment when its row passes `customer`, what was last said of it `properties`, of its account
    `account`, so many counted events as are asked for pass each of `did`, none passes any of `did_not`, and it is in each of
    `in` and none of `not_in`. A segment that asks nothing holds everybody.
    """
    moments = customers.with_columns(event_number=ALL_THERE_IS)
    names = [segment.name for segment in segments]
    if not names:
        return CORE_CUSTOMER_SEGMENTS.empty().lazy()
    found = judged(moments, events, with_those_asked_for(names, segments), matches)
    return CORE_CUSTOMER_SEGMENTS.conform(_listed(found, names).sort("segment", "customer_id"))


def segments_at_entry(
    entrants: pl.LazyFrame,
    events: pl.LazyFrame,
    *,
    names: Sequence[str],
    segments: Sequence[Segment],
    stages: Sequence[str],
    matches: Matches,
) -> pl.LazyFrame:
    """Which of the segments `names` the customer of each attempt was in at its first step.

    In:  ENTRY of MART_FUNNEL_ENTRANTS; CORE_EVENTS of whole customers (`columns_told` of it), all events of theirs; the
         stages in the order of the journey.
    Out: segment, customer_id, entry_source, entry_event_id; in no order, each once.

    Known at an entry is what the customer's events say that are not after it: those of its instant too, but not a date of
    that day, which orders after the day's timed events. semantics.md §2, §8.
    """
    if not names:
        return pl.LazyFrame(schema=dict.fromkeys(("segment", *ENTRY), pl.String))
    asked = with_those_asked_for(names, segments)
    entries = entrants.select(ENTRY).unique()
    timeline = events.join(entries, on="customer_id", how="semi").with_columns(
        moment=pl.col("event_number").max().over("customer_id", "occurred_at", "time_precision")
    )
    keys = timeline.select("customer_id", entry_source="source", entry_event_id="event_id", event_number="moment")
    known_to = entries.join(keys, on=ENTRY, how="inner", nulls_equal=True)
    moments = customers_at(known_to.select(MOMENT).unique(), timeline, stages=stages)
    members = _listed(judged(moments, timeline, asked, matches), names)
    return known_to.join(members, on=MOMENT, how="inner").select("segment", *ENTRY)


def columns_told(names: Sequence[str], segments: Sequence[Segment], *, matches: Matches) -> set[str]:
    """The columns of core.events that `segments_at_entry` reads for these segments."""
    asked = with_those_asked_for(names, segments)
    conditions = [matches(when) for segment in asked for when in (*segment.did, *segment.did_not)]
    said = [event_property(name) for segment in asked for name in (*segment.properties, *segment.account)]
    return {*TOLD_BY, *(name for expression in (*conditions, *said) for name in expression.meta.root_names())}


def customers_at(moments: pl.LazyFrame, timeline: pl.LazyFrame, *, stages: Sequence[str]) -> pl.LazyFrame:
    """What core.customers would say of customers if nothing had happened after an event of theirs.

    In:  customer_id, event_number (the last of its instant); `TOLD_BY` of core.events of these customers, with `moment`,
         the last event_number of the event's instant.
    Out: the moments with KNOWN_AT_ENTRY.
    """
    purchase = pl.col("is_conversion") & pl.col("is_counted")
    told = {
        "account_id": pl.col("account_id").forward_fill(),
        "first_seen_at": pl.col("occurred_at").cum_min(),
        "last_seen_at": pl.col("occurred_at").cum_max(),
        "event_count": pl.col("is_counted").cum_sum(),
        "first_purchase_at": pl.when(purchase).then("occurred_at").cum_min().forward_fill(),
        "purchase_count": purchase.cum_sum(),
    }
    running = timeline.sort("customer_id", "event_number").select(
        *MOMENT, **{name: expression.over("customer_id") for name, expression in told.items()}
    )
    described = moments.join(running, on=MOMENT, how="inner")
    been = _stages_been(timeline, stages).sort("event_number")
    found = described.sort("event_number").join_asof(
        been, on="event_number", by="customer_id", strategy="backward", check_sortedness=False
    )
    return found.select(*MOMENT, *(pl.col(name).cast(CORE_CUSTOMERS.schema[name]) for name in KNOWN_AT_ENTRY))


def _stages_been(timeline: pl.LazyFrame, stages: Sequence[str]) -> pl.LazyFrame:
    """customer_id, event_number, current_stage, furthest_stage: after each instant at which a customer entered a stage."""
    places = {name: number for number, name in enumerate(stages)}
    number = pl.col("stage").replace_strict(places, default=None, return_dtype=pl.UInt32)
    names = pl.Series(list(stages), dtype=pl.String)
    return (
        timeline.filter(pl.col("is_stage_entry") & pl.col("is_counted"))
        .with_columns(number=number)
        .sort("customer_id", "moment", "number", "event_number")
        .with_columns(furthest=pl.col("number").cum_max().over("customer_id"))
        .select(
            "customer_id",
            event_number="moment",
            current_stage="stage",
            furthest_stage=pl.col("furthest").replace_strict(
                pl.int_range(len(names), dtype=pl.UInt32, eager=True), names, default=None, return_dtype=pl.String
            ),
        )
        .unique(["customer_id", "event_number"], keep="last", maintain_order=True)
    )


# ---------------------------------------------------------------- who is in which


def _listed(found: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """segment and MOMENT, a row where a customer is in a segment."""
    asked = [_is_in(name) for name in dict.fromkeys(names)]
    long = found.select(*MOMENT, *asked).unpivot(index=MOMENT, variable_name="segment", value_name="is_in")
    return long.filter("is_in").select(pl.col("segment").str.strip_prefix(IS_IN), *MOMENT)


def judged(moments: pl.LazyFrame, events: pl.LazyFrame, asked: Sequence[Segment], matches: Matches) -> pl.LazyFrame:
    """MOMENT, and for each segment whether a customer is in it, as known up to that event; see `_listed`."""
    counted = events.filter("is_counted")
    facts = _with_last_said(_with_done(moments, counted, asked, matches), counted, asked)
    for segment in asked:
        facts = facts.with_columns(pl.all_horizontal(_conditions(segment)).alias(_is_in(segment.name)))
    return facts.select(*MOMENT, *(_is_in(segment.name) for segment in asked))


def _conditions(segment: Segment) -> list[pl.Expr]:
    """What must hold of a moment with its facts for the customer to be in a segment; never null."""
    return [
        where_expr(segment.customer, _column),
        where_expr(segment.properties, lambda name: pl.col(_said("customer", name))),
        where_expr(segment.account, lambda name: pl.col(_said("account", name))),
        *(_is_done(deed) for deed in segment.did),
        *(~_is_done(when) for when in segment.did_not),
        *(pl.col(_is_in(name)) for name in segment.in_),
        *(~pl.col(_is_in(name)) for name in segment.not_in),
    ]


def _with_done(
    moments: pl.LazyFrame, counted: pl.LazyFrame, asked: Sequence[Segment], matches: Matches
) -> pl.LazyFrame:
    """The moments with the number of the event by which each deed was done so often; null for never."""
    deeds = {_done_by(when): when for segment in asked for when in (*segment.did, *segment.did_not)}
    if not deeds:
        return moments
    numbers = pl.col("event_number")
    done = counted.group_by("customer_id").agg(
        numbers.filter(matches(when)).sort().slice(_times(when) - 1, 1).first().alias(name)
        for name, when in deeds.items()
    )
    return moments.join(done, on="customer_id", how="left")


def _with_last_said(moments: pl.LazyFrame, counted: pl.LazyFrame, asked: Sequence[Segment]) -> pl.LazyFrame:
    """The moments with what was last said of the customer, and of the account they last named; null for nothing."""
    properties = {name for segment in asked for name in segment.properties}
    of_accounts = {name for segment in asked for name in segment.account}
    for owner, names, by in (
        ("customer", properties, ["customer_id"]),
        ("account", of_accounts, ["customer_id", "account_id"]),
    ):
        for name in sorted(names):
            said = counted.select(*by, "event_number", event_property(name).alias(_said(owner, name))).drop_nulls()
            moments = moments.sort("event_number").join_asof(
                said.sort("event_number"), on="event_number", by=by, strategy="backward", check_sortedness=False
            )
    return moments


def _is_done(when: When) -> pl.Expr:
    return (pl.col(_done_by(when)) <= pl.col("event_number")).fill_null(False)


def _times(when: When) -> int:
    return when.at_least if isinstance(when, Deed) else 1


def _done_by(when: When) -> str:
    return f"done {_times(when)} {when.model_dump_json(exclude={'at_least'})}"


def _said(owner: str, name: str) -> str:
    return f"{owner} said {name}"


def _is_in(name: str) -> str:
    return f"{IS_IN}{name}"


def _column(name: str) -> pl.Expr:
    """A column of core.customers as text; times as ISO 8601, so that they compare with dates."""
    if isinstance(CORE_CUSTOMERS.schema[name], pl.Datetime):
        return pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S")
    return pl.col(name).cast(pl.String)
