"""Sessions: cut each customer's timeline where nothing happened for too long, and sum up each piece."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import polars as pl

from transforms.channels import DIRECT
from transforms.contracts import CORE_SESSION_SUPERSEDED, CORE_SESSIONS
from transforms.hashing import digest_id
from transforms.journey import Journey, Sessions
from transforms.kernels import changed, number_of_each, place_within, places_by, run_whole
from transforms.stages import stage_number

WEB_EVIDENCE = ("hostname", "path", "referrer", "utm_source", "utm_medium", "utm_campaign", "click_id")
SUMMARY_INPUT = (
    "customer_id", "event_number", "event", "occurred_at", "time_precision", "visitor_id", "account_id", "session_id",
    "is_active", "is_conversion", "stage", "channel", "device", "country", "value_minor", "currency", *WEB_EVIDENCE,
)  # fmt: skip
PAGE = "page_view"
RETURN = "order_returned"
UNITS = {
    "customer": ["customer"],
    "visitor": ["customer", "visitor_id"],
    "given": ["customer", "visitor_id", "visit_id"],
}


# ---------------------------------------------------------------- cutting


def session_numbers(
    events: pl.LazyFrame, *, by: str | Sequence[str], timeout: timedelta, max_length: timedelta | None = None
) -> pl.LazyFrame:
    """Number the sessions of each unit, by time alone.

    In:  the unit's columns `by`, and occurred_at; any other columns, in any order.
    Out: the same rows, in the same order, and `session_number` (UInt32), from 1 for each unit.

    A gap of exactly `timeout` keeps a session open; only a longer one ends it, and so does the first event later than
    `max_length` after the session's start. An event without a time has no session and splits none.
    """
    units = [by] if isinstance(by, str) else list(by)
    schema = {**events.collect_schema(), "session_number": pl.UInt32()}
    return events.map_batches(partial(_number, units=units, timeout=timeout, max_length=max_length), schema=schema)


def sessions_by_marks(
    events: pl.LazyFrame, *, by: str | Sequence[str], opening: Sequence[str], closing: Sequence[str] = ()
) -> pl.LazyFrame:
    """Number the sessions of each unit, by events that open and end them, whatever time passes.

    In:  the unit's columns `by`, occurred_at and event; any other columns, in any order.
    Out: the same rows, in the same order, and `session_number` (UInt32), from 1 for each unit; null before the first event of
         `opening`, and from one after an event of `closing` to the next that opens. Of one instant, what opens comes first
         and what closes last.
    """
    units = [by] if isinstance(by, str) else list(by)
    opens, closes = pl.col("event").is_in(list(opening)), pl.col("event").is_in(list(closing))
    number = opens.cast(pl.UInt32).cum_sum().over(units)
    since = pl.when(opens | closes.shift(fill_value=False).over(units)).then(opens).forward_fill().over(units)
    placed = events.with_row_index("place")
    ordered = placed.filter(pl.col("occurred_at").is_not_null()).sort(*units, "occurred_at", closes, ~opens, "place")
    numbered = ordered.select("place", session_number=pl.when(since.fill_null(False)).then(number))
    return placed.join(numbered, on="place", how="left").sort("place").drop("place")


def _number(
    events: pl.DataFrame, *, units: list[str], timeout: timedelta, max_length: timedelta | None
) -> pl.DataFrame:
    none = pl.repeat(None, events.height, dtype=pl.UInt32, eager=True).alias("session_number")
    dated = events["occurred_at"].is_not_null().arg_true()
    if dated.is_empty():
        return events.with_columns(none)
    unit, moment = number_of_each(events.select(units)).gather(dated), events["occurred_at"].gather(dated)
    order = places_by(unit, moment.to_physical())
    timed = pl.DataFrame({"unit": unit.gather(order), "occurred_at": moment.gather(order)})
    timed = timed.with_columns(begins=changed(["unit"]))
    opens = _opens(timed, timeout=timeout, max_length=max_length)
    number = opens.cast(pl.UInt32).cum_sum()
    of_unit = timed.select(number - pl.when("begins").then(number - 1).forward_fill()).to_series()
    return events.with_columns(none.scatter(dated.gather(order), of_unit))


def _opens(events: pl.DataFrame, *, timeout: timedelta | None, max_length: timedelta | None) -> pl.Series:
    """True for each event that opens a session.

    In: begins (the first event of its unit, or without a `timeout` also after too long a gap), occurred_at; sorted by unit,
        then time.
    """
    comes_late = pl.lit(False) if timeout is None else pl.col("occurred_at").diff() > timeout
    opens = events.select(pl.col("begins") | comes_late).to_series()
    return opens if max_length is None else _cut_long(events["occurred_at"], opens, max_length)


def _cut_long(times: pl.Series, opens: pl.Series, max_length: timedelta) -> pl.Series:
    """Open a session at the first event later than `max_length` after the start, again and again until none is.

    Each pass cuts every session that is still too long once, and leaves the others alone from then on.
    """
    start = pl.when("opens").then("time").forward_fill()
    rows = pl.DataFrame({"time": times, "opens": opens}).with_row_index("place")
    cuts = rows["place"].clear()
    while rows.height:
        rows = rows.with_columns(session=pl.col("opens").cum_sum(), is_late=pl.col("time") - start > max_length)
        too_long = rows.filter("is_late").select("session").unique()
        rows = rows.join(too_long, on="session", how="semi", maintain_order="left")
        is_cut = pl.col("is_late") & ~pl.col("is_late").shift(fill_value=False)
        cuts = pl.concat([cuts, rows.filter(is_cut)["place"]])
        rows = rows.with_columns(opens=pl.col("opens") | is_cut)
    return opens.scatter(cuts, True)


# ---------------------------------------------------------------- giving each event its session


def assign_sessions(timeline: pl.DataFrame, *, rules: Sessions) -> pl.DataFrame:
    """Give each counted event of a timeline its session.

    In:  the timeline in total order: place (row number), customer, visitor_id, visit_id, occurred_at, is_dated,
         is_active, is_extending, is_counted, has_arrival (page or campaign data), is_web, own_channel, utm_campaign,
         source, event_id, event.
    Out: the same rows in the same order, with session_id and session_channel; own_channel is set to Direct on the
         session's landing event (the first active one with page or campaign data, else the first) where it is of the
         web and nothing says how the customer came.

    A date has no place within its day: dated events have sessions of their own, and neither cut nor stretch others.
    """
    timed, dated = timeline.filter(~pl.col("is_dated")), timeline.filter("is_dated")
    if dated.is_empty():
        return _assign(timeline, rules)
    return pl.concat([_assign(timed, rules), _assign(dated, rules)]).sort("place")


def _assign(lane: pl.DataFrame, rules: Sessions) -> pl.DataFrame:
    lane = lane.with_row_index("at")
    held = _number_held(lane.filter(pl.col("is_active") | pl.col("is_extending")), rules)
    landing = pl.coalesce(pl.when(pl.col("is_active") & pl.col("has_arrival")).then("at").min(), _active("at").min())
    sessions = (
        held.group_by("session")
        .agg(first=_active("at").min(), last=pl.col("at").max(), landing=landing)
        .sort("session")
    )
    lane = lane.join(held.select("at", "session"), on="at", how="left", maintain_order="left")
    lands = pl.repeat(False, lane.height, eager=True).scatter(sessions["landing"], True)
    lane = lane.with_columns(
        session=_session_of_passive(lane, sessions),
        own_channel=pl.coalesce("own_channel", pl.when(lands & pl.col("is_web")).then(pl.lit(DIRECT))),
    )
    opening = lane.select("source", "event_id")[sessions["first"]]
    session_id = opening.select(digest_id(pl.lit(rules.per), "source", "event_id")).to_series()
    channel = lane["own_channel"].gather(sessions["landing"])
    return lane.with_columns(
        session_id=session_id.gather(lane["session"]), session_channel=channel.gather(lane["session"])
    ).drop("at", "session")


def _number_held(moves: pl.DataFrame, rules: Sessions) -> pl.DataFrame:
    """The active events, and the extending ones that a session holds, with their `session`, counted from 0 over all units.

    Events that follow each other within the timeout, and that no event of the rules parts, are one sitting. Of a sitting, the
    first active event opens a session:
    extending events before it are of none, and later ones are of the session that is open, up to its greatest length.
    """
    unit = UNITS[rules.per]
    ordered = (moves if rules.per == "customer" else moves.sort(*unit, "at")).with_columns(begins=changed(unit))
    if rules.is_cut_by_events:
        opens, ends = pl.col("event").is_in(rules.opening), pl.col("event").is_in(rules.closing)
        ordered = ordered.with_columns(
            begins=pl.col("begins") | _is_free(rules) & (opens | ends.shift(fill_value=False))
        )
    if not ordered["is_extending"].any():
        return _number_active(ordered, rules, timeout=rules.timeout)
    comes_late = _is_free(rules) & (pl.col("occurred_at").diff() > rules.timeout)
    ordered = ordered.with_columns(sitting=(pl.col("begins") | comes_late).cum_sum())
    opening = ordered.filter("is_active").with_columns(begins=changed(["sitting"]))
    active = _number_active(opening, rules, timeout=None)
    session = pl.Series(pl.repeat(None, ordered.height, dtype=pl.UInt32, eager=True))
    session = session.scatter(ordered["is_active"].arg_true(), active["session"])
    return (
        ordered.with_columns(session=session).with_columns(session=_session_of_extending(rules)).drop_nulls("session")
    )


def _session_of_extending(rules: Sessions) -> pl.Expr:
    """The session of each event of a sitting: of an extending one that of the last active event, while it may go on."""
    is_same_sitting = _active("sitting").forward_fill() == pl.col("sitting")
    opens = pl.col("is_active") & pl.col("session").is_first_distinct()
    started_at = pl.when(opens).then("occurred_at").forward_fill()
    goes_on = ~_is_free(rules) | (pl.col("occurred_at") - started_at <= rules.max_length)
    return pl.when(pl.col("is_active") | (is_same_sitting & goes_on)).then(pl.col("session").forward_fill())


def _number_active(ordered: pl.DataFrame, rules: Sessions, *, timeout: timedelta | None) -> pl.DataFrame:
    """Active events with their `session`; without a `timeout`, `begins` tells where one ended."""
    if rules.split_on_campaign:
        opens = _opens(ordered, timeout=timeout, max_length=None)
        ordered = ordered.with_columns(begins=pl.col("begins") | _is_free(rules) & _brings_campaign(opens.cum_sum()))
    opens = _opens(ordered, timeout=timeout, max_length=rules.max_length)
    opens = ordered.select(pl.when(_is_free(rules)).then(opens).otherwise("begins")).to_series()
    return ordered.with_columns(session=opens.cast(pl.UInt32).cum_sum() - 1)


def _is_free(rules: Sessions) -> pl.Expr:
    """True where time cuts sessions; the source's own sessions are as they are given."""
    return pl.col("visit_id").is_null() if rules.per == "given" else pl.lit(True)


def _brings_campaign(session: pl.Series) -> pl.Expr:
    """True where an event comes by another channel or campaign than the session it would belong to.

    A session whose landing event says nothing came Direct; later events that say nothing change nothing.
    """
    says = pl.col("own_channel").is_not_null()
    lands = pl.col("has_arrival") & pl.struct(session.alias("session"), "has_arrival").is_first_distinct()
    said = pl.struct(pl.col("own_channel").fill_null(DIRECT), "utm_campaign")
    said_before = pl.when(says | lands).then(said).forward_fill().shift()
    session_before = pl.when(says | lands).then(session).forward_fill().shift()
    return says & (session_before == session).fill_null(False) & said.ne_missing(said_before)


def _session_of_passive(lane: pl.DataFrame, sessions: pl.DataFrame) -> pl.Series:
    """The session of each event: its own, or, for a counted one that has none, the one of its customer it lies within.

    Of several (of several visitors) it is the one that ends last. The instants of start and end belong to a session.
    """

    def is_at_once_with(neighbour: str) -> pl.Expr:
        now = pl.struct("customer", "occurred_at")
        return now.gather(neighbour) == now

    ends = sessions["last"].gather(lane["session"])
    surrounded = lane.with_columns(
        reached=ends.cum_max().forward_fill(),
        coming=pl.when("is_active").then("at").backward_fill(),
    )
    home = (
        pl.when((pl.col("reached") > pl.col("at")) | is_at_once_with("reached"))
        .then("reached")
        .when(is_at_once_with("coming"))
        .then("coming")
    )
    joined = pl.when("is_counted").then(pl.col("session").gather(home))
    return surrounded.select(pl.coalesce("session", joined)).to_series()


# ---------------------------------------------------------------- summing up


def summarise_sessions(events: pl.LazyFrame, *, journey: Journey) -> pl.LazyFrame:
    """Sum up each session of the timeline.

    In:  CORE_EVENTS of whole customers, in any order.
    Out: CORE_SESSIONS, ordered by (customer_id, session_number). semantics.md §5.
    """
    return run_whole(events, partial(_summarise, journey=journey), reads=SUMMARY_INPUT, gives=CORE_SESSIONS.schema)


def _summarise(events: pl.DataFrame, *, journey: Journey) -> pl.DataFrame:
    held = (
        events.filter(pl.col("session_id").is_not_null())
        .with_columns(session=pl.col("session_id").cast(pl.Categorical(pl.Categories.random())).to_physical())
        .sort("session", "event_number")
        .with_columns(is_move=pl.col("is_active") | pl.col("event").is_in(journey.sessions.extending))
        .with_columns(
            gap=_gap_between_moves(),
            stage_number=stage_number(journey),
            sale_minor=_sale_minor(),
        )
    )
    sessions = (
        held.group_by("session", maintain_order=True)
        .agg(pl.col("customer_id", "session_id").first(), *_extent(journey.sessions.timeout), *_contents(), *_landing(),
             *_stages(), *_revenue(journey.currency))
        .sort("customer_id", "first_number")
        .unnest("landing")
    )  # fmt: skip
    duration = pl.col("ended_at") - pl.col("started_at")
    names = pl.Series(journey.stage_names, dtype=pl.String)
    ready = sessions.with_columns(
        session_number=place_within("customer_id"),
        duration_seconds=duration.dt.total_seconds(),
        engaged_seconds=pl.col("engaged").dt.total_seconds(),
        is_bounce=pl.col("event_count") == 1,
        deepest_stage=names.gather(sessions["deepest"] - 1),
        revenue_minor=pl.when(pl.col("currency") != "mixed").then("revenue_minor"),
    ).with_columns(split_reason=_split_reason(journey.sessions))
    return CORE_SESSIONS.conform(ready.lazy()).collect(engine="in-memory")


def _active(name: str) -> pl.Expr:
    return pl.when("is_active").then(name)


def _move(name: str) -> pl.Expr:
    """What keeps a session going: active and extending events."""
    return pl.when("is_move").then(name)


def _gap_between_moves() -> pl.Expr:
    is_same = _move("session").forward_fill().shift() == pl.col("session")
    return pl.when(is_same).then(_move("occurred_at") - _move("occurred_at").forward_fill().shift())


def _sale_minor() -> pl.Expr:
    """What an event adds to revenue: a conversion its value, a return the negative of it; null for others."""
    value = pl.col("value_minor")
    return pl.when(pl.col("event") == RETURN).then(-value.abs()).when("is_conversion").then(value)


def _extent(timeout: timedelta) -> list[pl.Expr]:
    """Of active and extending events, which are in order of time."""
    return [
        _active("event_number").first(ignore_nulls=True).alias("first_number"),
        (pl.col("time_precision").first() == "day").fill_null(False).alias("is_dated"),
        _active("occurred_at").first(ignore_nulls=True).alias("started_at"),
        _move("occurred_at").last(ignore_nulls=True).alias("ended_at"),
        pl.when(pl.col("gap") <= timeout).then("gap").sum().alias("engaged"),
    ]


def _contents() -> list[pl.Expr]:
    return [
        pl.col("is_active").sum().alias("event_count"),
        (pl.col("is_active") & (pl.col("event") == PAGE)).sum().alias("page_count"),
        _active("visitor_id").drop_nulls().n_unique().alias("visitor_count"),
        _active("visitor_id").first(ignore_nulls=True).alias("visitor_id"),
        _active("path").first(ignore_nulls=True).alias("entry_path"),
        _active("path").last(ignore_nulls=True).alias("exit_path"),
        _active("device").first(ignore_nulls=True).alias("device"),
        _active("country").first(ignore_nulls=True).alias("country"),
        pl.col("account_id").last(ignore_nulls=True),
        pl.col("is_conversion").any().alias("is_converted"),
    ]


def _landing() -> list[pl.Expr]:
    """What the landing event says; its channel is every event's. See `assign_sessions`."""
    lands = pl.col("is_active") & pl.any_horizontal(pl.col(WEB_EVIDENCE).is_not_null())
    said = pl.struct("utm_source", "utm_medium", "utm_campaign", "referrer")
    return [pl.col("channel").first(), pl.when(lands).then(said).first(ignore_nulls=True).alias("landing")]


def _stages() -> list[pl.Expr]:
    return [
        pl.col("stage").first(ignore_nulls=True).alias("first_stage"),
        pl.col("stage").last(ignore_nulls=True).alias("last_stage"),
        pl.col("stage_number").max().alias("deepest"),
    ]


def _revenue(currency: str) -> list[pl.Expr]:
    sale = pl.col("sale_minor")
    currencies = pl.when(sale.is_not_null()).then(pl.col("currency").fill_null(currency))
    count = currencies.drop_nulls().n_unique()
    return [
        pl.when(count > 0).then(sale.sum()).alias("revenue_minor"),
        pl.when(count > 1).then(pl.lit("mixed")).otherwise(currencies.first(ignore_nulls=True)).alias("currency"),
    ]


def _split_reason(rules: Sessions) -> pl.Expr:
    """Why each session began: sessions in order of (customer_id, session_number), of all kinds of time."""
    if rules.per == "given":
        return pl.lit("given")
    unit = ["customer_id"] if rules.per == "customer" else ["customer_id", "visitor_id"]
    lane = [*unit, "is_dated"]
    is_first = pl.int_range(pl.len()).over(unit) == 0
    end_before, start_before = (pl.col(name).shift().over(lane) for name in ("ended_at", "started_at"))
    return (
        pl.when(is_first)
        .then(pl.lit("first"))
        .when(end_before.is_null() | (pl.col("started_at") - end_before > rules.timeout))
        .then(pl.lit("timeout"))
        .when(pl.col("started_at") - start_before > rules.max_length)
        .then(pl.lit("max_length"))
        .otherwise(pl.lit("campaign"))
    )


# ---------------------------------------------------------------- ids that vanished


def superseded_sessions(vanished: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    """What became of session ids that are no longer given.

    In:  vanished: session_id, source and event_id of the event that opened it, superseded_at; an id may come several times.
         Of CORE_EVENTS (source, event_id, customer_id, session_id) at least these events, and those in the sessions.
    Out: CORE_SESSION_SUPERSEDED, ordered by session_id. An id that is given again is not among them.
    """
    last = (
        vanished.group_by("session_id")
        .agg(pl.all().sort_by("superseded_at", "source", "event_id").last())
        .join(events.select("session_id"), on="session_id", how="anti")
    )
    openers = events.select("source", "event_id", "customer_id", successor_session_id="session_id").join(
        last, on=["source", "event_id"], how="semi"
    )
    first = openers.sort("customer_id").unique(["source", "event_id"], keep="first", maintain_order=True)
    found = last.join(first, on=["source", "event_id"], how="left").with_columns(
        reason=pl.when(pl.col("customer_id").is_null())
        .then(pl.lit("gone"))
        .when(pl.col("successor_session_id").is_null())
        .then(pl.lit("outside"))
        .otherwise(pl.lit("joined"))
    )
    return CORE_SESSION_SUPERSEDED.conform(found).sort("session_id")
