"""Events: the one timeline of each customer, and what follows from it alone."""

from collections.abc import Sequence
from functools import partial

import polars as pl

from transforms.channel_rules import RULES
from transforms.channels import contact_medium, with_own_channel
from transforms.contracts import CANONICAL, CORE_CUSTOMERS, CORE_EVENTS, CORE_TOUCHES, Column, Table
from transforms.journey import Conversion, Journey
from transforms.kernels import changed, place_within, run_whole
from transforms.predicates import json_property, where_expr
from transforms.sessions import WEB_EVIDENCE, assign_sessions
from transforms.stages import entering_places, event_property, match_rules, rules_of

OWNED = Table(
    "owned events",
    "Canonical events with the customer and the visitor they belong to.",
    ("source", "event_id"),
    (
        *CANONICAL,
        Column("customer_id", pl.String, "The customer."),
        Column("visitor_id", pl.String, "The browser or device; null for events without one."),
    ),
)
TIMELINE_INPUT = tuple(
    name for name in OWNED.schema if name in CORE_EVENTS.schema or name in ("visit_id", "given_channel")
)
EVENT_KEY = ("customer_id", "source", "event_id")
OF_RULES = ("path", "hostname", "channel", "object", "state")
SESSION_INPUT = (
    "place", "customer", "visitor_id", "visit_id", "occurred_at", "is_dated", "is_active", "is_extending", "is_counted",
    "has_arrival", "is_web", "own_channel", "utm_campaign", "source", "event_id", "event",
)  # fmt: skip
TOUCH_INPUT = (
    "customer_id", "event_number", "source", "event_id", "event", "occurred_at", "session_id", "is_active", "touchpoint",
    "channel", "utm_source", "utm_medium", "utm_campaign",
)  # fmt: skip
ACTIVITY = (
    "customer_id", "account_id", "first_seen_at", "last_seen_at", "event_count", "first_purchase_at", "purchase_count",
    "current_stage", "furthest_stage",
)  # fmt: skip
ACTIVITY_INPUT = ("customer_id", "event_number", "occurred_at", "account_id", "is_counted", "is_conversion")


# ---------------------------------------------------------------- the timeline


def build_timeline(owned: pl.LazyFrame, *, journey: Journey) -> pl.LazyFrame:
    """Put the events of whole customers in order, and say of each its session, stage and channel.

    In:  CANONICAL with customer_id and visitor_id, of whole customers, in any order; a missing column counts as null.
    Out: CORE_EVENTS, ordered by (customer_id, event_number). Of events of one customer with one key, the first in the
         total order stays. semantics.md §2, §5, §6, §7.
    """
    kernel = partial(_build, journey=journey)
    return run_whole(OWNED.conform(owned), kernel, reads=TIMELINE_INPUT, gives=CORE_EVENTS.schema)


def _build(owned: pl.DataFrame, *, journey: Journey) -> pl.DataFrame:
    ordered = in_total_order(owned, time_zone=journey.time_zone)
    described = _describe(ordered, journey)
    timeline = described.with_columns(assign_sessions(described.select(SESSION_INPUT), rules=journey.sessions))
    rules = rules_of(journey)
    timeline = timeline.with_columns(match_rules(timeline, rules=rules, channel="own_channel"))
    enters = pl.repeat(False, timeline.height, eager=True).scatter(entering_places(timeline), True)
    ready = timeline.with_columns(
        event_number=place_within("customer"),
        channel=pl.when(pl.col("session_id").is_null()).then("own_channel").otherwise("session_channel"),
        is_stage_entry=enters,
    )
    return CORE_EVENTS.conform(ready.lazy()).collect(engine="in-memory")


def in_total_order(owned: pl.DataFrame, *, time_zone: str) -> pl.DataFrame:
    """Sort events by customer and the total order, and drop later events with the key of an earlier one.

    In:  OWNED; of several rows of one key and instant (a record and its history tell of the same state) one stays, by their
         content: whatever says more.
    Out: the rows in order of (customer_id, moment, seq, source, event_id), nulls first, with is_dated and moment: an
         integer that orders instants, and a date after all instants of its local day.
    """
    is_dated = (pl.col("time_precision") == "day").fill_null(False)
    instant = pl.col("occurred_at").to_physical() * 2 + 1
    day_end = _next_midnight(pl.col("occurred_at"), time_zone).to_physical() * 2
    dated = owned.rechunk().with_columns(is_dated=is_dated, moment=instant)
    if dated["is_dated"].any():
        dated = dated.with_columns(moment=pl.when("is_dated").then(day_end).otherwise("moment"))
    order = dated.select(pl.arg_sort_by("customer_id", "moment", "seq", "source", "event_id")).to_series()
    ordered = dated[order]
    key = pl.struct(EVENT_KEY)
    if ordered.select(key.hash().n_unique() == pl.len()).item():
        return ordered
    told = [name for name in ordered.columns if name not in (*EVENT_KEY, "moment", "seq")]
    several = ordered.with_row_index("place").filter(key.is_duplicated())
    best_first = several.sort("moment", "seq", *told, nulls_last=[False, False, *([True] * len(told))])
    kept = best_first.filter(key.is_first_distinct())["place"]
    return ordered.filter(~key.is_duplicated() | pl.int_range(pl.len()).is_in(kept.implode()))


def _next_midnight(instant: pl.Expr, time_zone: str) -> pl.Expr:
    """The first instant of the next local day; where a clock change skips midnight, the hour after is that instant."""
    midnight = instant.dt.convert_time_zone(time_zone).dt.date().dt.offset_by("1d").cast(pl.Datetime("us"))

    def localised(local: pl.Expr) -> pl.Expr:
        return local.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")

    return pl.coalesce(localised(midnight), localised(midnight.dt.offset_by("1h"))).dt.convert_time_zone("UTC")


def _describe(ordered: pl.DataFrame, journey: Journey) -> pl.DataFrame:
    """What each event says by itself, and whether its customer had converted before."""
    ignored_hosts = (*journey.own_hosts, *journey.internal_hosts, *journey.ignored_referrers)
    robot_or_own = pl.col("is_bot").fill_null(False) | pl.col("is_internal").fill_null(False)
    seen = pl.any_horizontal(pl.col(WEB_EVIDENCE).is_not_null())
    return (
        with_own_channel(ordered.lazy(), ignored_hosts=ignored_hosts)
        .with_columns(
            place=pl.int_range(pl.len(), dtype=pl.UInt32),
            customer=pl.col("customer_id").rle_id(),
            is_counted=~robot_or_own,
            is_active=~robot_or_own
            & ~pl.col("event").is_in([*journey.sessions.passive_kinds, *journey.sessions.extending]),
            is_extending=~robot_or_own & pl.col("event").is_in(journey.sessions.extending),
            is_conversion=is_conversion(journey.conversions),
            has_arrival=seen | pl.col("given_channel").is_not_null(),
            is_web=seen | pl.col("object").is_null(),
            own_channel=pl.coalesce("own_channel", contact_medium(pl.col("event"))),
        )
        .with_columns(is_customer=_has_converted_before())
        .collect(engine="in-memory")
    )


def is_conversion(conversions: Sequence[Conversion]) -> pl.Expr:
    """True for an event that is listed as a conversion."""
    listed = [(pl.col("event") == each.event) & where_expr(each.where, event_property) for each in conversions]
    return pl.any_horizontal(pl.lit(False), *listed)


def _has_converted_before() -> pl.Expr:
    """True after the customer's first counted conversion, in total order; that event itself counts as before."""
    converted = (pl.col("is_conversion") & pl.col("is_counted")).cast(pl.UInt32)
    before = converted.cum_sum() - converted
    return before > pl.when(changed(["customer"])).then(before).forward_fill()


def plain_timeline(events: pl.LazyFrame, *, conversions: Sequence[Conversion]) -> pl.LazyFrame:
    """The events of a plain file as a timeline, with what follows from them without a journey.

    In:  customer_id, event_id, occurred_at, seq, properties and other columns of CORE_EVENTS; what a rule's `when` asks for
         and no column has (path, hostname, channel, object, state) is a property.
    Out: CORE_EVENTS, ordered by (customer_id, event_number); every event counts. Rows without a customer are left out.
    """
    there = events.collect_schema().names()
    lifted = [json_property(name).alias(name) for name in OF_RULES if name not in there]
    ordered = events.filter(pl.col("customer_id").is_not_null()).sort("customer_id", "occurred_at", "seq", "event_id")
    counted = ordered.with_columns(*lifted, is_counted=pl.lit(True), customer=pl.col("customer_id").rle_id())
    told = counted.with_columns(
        event_number=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("customer_id"),
        is_conversion=is_conversion(conversions),
    )
    return CORE_EVENTS.conform(told.with_columns(is_customer=_has_converted_before()))


# ---------------------------------------------------------------- touches


def touches(events: pl.LazyFrame, sessions: pl.LazyFrame, *, journey: Journey) -> pl.LazyFrame:
    """List the contacts that attribution may credit.

    In:  CORE_EVENTS and CORE_SESSIONS of whole customers, in any order.
    Out: CORE_TOUCHES, ordered by (customer_id, touch_number): each session at its start, and each answered contact
         (transforms/rules/channels.json) outside of a session. semantics.md §12.
    """
    in_session = pl.col("is_active") & pl.col("session_id").is_not_null()
    answered = pl.col("is_counted") & pl.col("session_id").is_null() & pl.col("event").is_in(RULES.answered_contacts)
    schema = {name: CORE_EVENTS.schema[name] for name in TOUCH_INPUT} | {"touch_number": pl.UInt32()}
    picked = run_whole(events.filter(in_session | answered), _pick_touches, reads=TOUCH_INPUT, gives=schema)
    landing = ["utm_source", "utm_medium", "utm_campaign"]
    arrived = sessions.select("session_id", pl.col(landing).name.prefix("session_"))
    told = picked.join(arrived, on="session_id", how="left").with_columns(
        pl.when(pl.col("session_id").is_null()).then(name).otherwise(f"session_{name}").alias(name) for name in landing
    )
    touched = told.with_columns(touched_at="occurred_at").sort("customer_id", "touch_number")
    return CORE_TOUCHES.conform(touched)


def _pick_touches(contacts: pl.DataFrame) -> pl.DataFrame:
    opens = pl.col("session_id").is_null() | pl.col("session_id").is_first_distinct()
    ordered = contacts.sort("customer_id", "event_number").filter(opens)
    return ordered.with_columns(touch_number=place_within("customer_id"))


# ---------------------------------------------------------------- activity


def customer_activity(events: pl.LazyFrame, entries: pl.LazyFrame, *, journey: Journey) -> pl.LazyFrame:
    """What each customer did, in figures.

    In:  CORE_EVENTS and CORE_STAGE_ENTRIES of whole customers, in any order.
    Out: customer_id, account_id, first_seen_at, last_seen_at, event_count, first_purchase_at, purchase_count,
         current_stage, furthest_stage, as in CORE_CUSTOMERS; ordered by customer_id. Counts and purchases leave robots
         and internal traffic out.
    """
    schema = {name: CORE_CUSTOMERS.schema[name] for name in ACTIVITY}
    did = {name: dtype for name, dtype in schema.items() if not name.endswith("_stage")}
    numbers = {name: number for number, name in enumerate(journey.stage_names)}
    number = pl.col("stage").replace_strict(numbers, default=None, return_dtype=pl.UInt32)
    been = entries.group_by("customer_id").agg(
        current_stage=pl.col("stage").filter(pl.col("left_at").is_null()).first(),
        furthest_stage=pl.col("stage").filter(number == number.max()).first(),
    )
    counted = run_whole(events, _count_activity, reads=ACTIVITY_INPUT, gives=did)
    return counted.join(been, on="customer_id", how="left").select(ACTIVITY).sort("customer_id")


def _count_activity(events: pl.DataFrame) -> pl.DataFrame:
    purchase = pl.col("is_conversion") & pl.col("is_counted")
    return (
        events.sort("customer_id", "event_number")
        .group_by("customer_id", maintain_order=True)
        .agg(
            account_id=pl.col("account_id").last(ignore_nulls=True),
            first_seen_at=pl.col("occurred_at").min(),
            last_seen_at=pl.col("occurred_at").max(),
            event_count=pl.col("is_counted").sum(),
            first_purchase_at=pl.when(purchase).then("occurred_at").min(),
            purchase_count=purchase.sum(),
        )
    )
