from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.contracts import CORE_EVENTS, CORE_SESSIONS, CORE_STAGE_ENTRIES, CORE_TOUCHES, TIME
from transforms.events import OWNED, build_timeline, customer_activity, touches
from transforms.journey import Journey
from transforms.sessions import summarise_sessions
from transforms.stages import stage_entries

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
BERLIN_DAY = datetime(2026, 3, 1, 23, tzinfo=UTC)
STAGES = [
    {
        "name": "see",
        "touchpoints": [
            {"name": "ad", "when": {"event": "page_view", "channel": ["Paid Search", "Direct"], "status": "prospect"}},
            {"name": "page", "when": {"event": "page_view", "path": "/blog/**"}},
        ],
    },
    {"name": "try", "phases": [{"name": "cart", "touchpoints": [{"name": "cart", "when": {"event": "add_to_cart"}}]}]},
    {
        "name": "buy",
        "touchpoints": [{"name": "order", "when": {"event": "order_placed", "where": {"price": {"gte": 10}}}}],
    },
]
JOURNEY = Journey(stages=STAGES, conversions=[{"event": "order_placed"}], time_zone="Europe/Berlin")


def at(minutes: float = 0, *, day: int = 0) -> datetime:
    return START + timedelta(days=day, minutes=minutes)


def owned(*events: dict[str, object]) -> pl.LazyFrame:
    defaults = {"customer_id": "ann", "source": "web", "event": "page_view", "occurred_at": START}
    rows = [{**defaults, "event_id": f"{number:04d}", **event} for number, event in enumerate(events)]
    return pl.LazyFrame(rows, schema_overrides={"occurred_at": TIME, "seq": pl.Int64}, infer_schema_length=None)


def timeline_of(*events: dict[str, object], journey: Journey = JOURNEY) -> pl.DataFrame:
    return CORE_EVENTS.check(build_timeline(owned(*events), journey=journey).collect())


def ids(*events: dict[str, object]) -> list[str]:
    return timeline_of(*events)["event_id"].to_list()


# ---------------------------------------------------------------- total order


def test_events_are_in_order_of_time():
    assert ids({"occurred_at": at(2)}, {"occurred_at": at(1)}) == ["0001", "0000"]


def test_at_one_instant_events_without_a_sequence_come_first_then_by_sequence():
    assert ids({"seq": 2}, {"seq": 1}, {"seq": None}) == ["0002", "0001", "0000"]


def test_at_one_instant_the_source_then_the_id_decide():
    tied = [{"source": "web", "event_id": "a"}, {"source": "crm", "event_id": "z"}, {"source": "crm", "event_id": "b"}]

    assert ids(*tied) == ["b", "z", "a"]


def test_a_date_comes_after_the_timed_events_of_its_local_day():
    day = {"event_id": "day", "occurred_at": BERLIN_DAY, "time_precision": "day"}
    last = {"event_id": "last", "occurred_at": BERLIN_DAY + timedelta(hours=24, microseconds=-1)}
    next_day = {"event_id": "next", "occurred_at": BERLIN_DAY + timedelta(hours=24)}

    timeline = timeline_of(day, next_day, last)

    assert timeline["event_id"].to_list() == ["last", "day", "next"]
    assert timeline["occurred_at"].to_list()[1] == BERLIN_DAY


def test_a_date_knows_the_length_of_its_day_when_the_clocks_change():
    short_day = datetime(2026, 3, 28, 23, tzinfo=UTC)
    day = {"event_id": "day", "occurred_at": short_day, "time_precision": "day"}
    next_day = {"event_id": "next", "occurred_at": short_day + timedelta(hours=23)}

    assert ids(next_day, day) == ["day", "next"]


def test_a_date_is_ordered_where_the_clocks_skip_midnight():
    journey = Journey(time_zone="America/Sao_Paulo")
    day_before = datetime(2018, 11, 3, 3, tzinfo=UTC)
    events = [
        {"event_id": "next", "occurred_at": day_before + timedelta(hours=24)},
        {"event_id": "day", "occurred_at": day_before, "time_precision": "day"},
        {"event_id": "last", "occurred_at": day_before + timedelta(hours=24, microseconds=-1)},
    ]

    assert timeline_of(*events, journey=journey)["event_id"].to_list() == ["last", "day", "next"]


def test_of_events_with_one_key_the_first_stays():
    timeline = timeline_of(
        {"event_id": "x", "occurred_at": at(9)}, {"event_id": "x"}, {"event_id": "x", "source": "crm"}
    )

    assert timeline.select("source", "occurred_at").rows() == [("crm", START), ("web", START)]


def test_of_two_tellings_of_one_event_the_one_that_says_more_stays_whatever_the_order():
    says = {"event_id": "x", "account_id": "a1", "properties": '{"lifecycle": "lead"}'}

    one, other = timeline_of(says, {"event_id": "x"}), timeline_of({"event_id": "x"}, says)

    assert one.rows() == other.rows()
    assert one["account_id"].to_list() == ["a1"]


def test_events_are_numbered_within_their_customer():
    timeline = timeline_of({"customer_id": "bob"}, {}, {"occurred_at": at(1)})

    assert timeline.select("customer_id", "event_number").rows() == [("ann", 1), ("ann", 2), ("bob", 1)]


# ---------------------------------------------------------------- what is said of an event


def test_messages_we_sent_and_robots_are_not_active():
    timeline = timeline_of({"event": "email_sent"}, {"is_bot": True, "occurred_at": at(1)}, {"occurred_at": at(2)})

    assert timeline["is_active"].to_list() == [False, False, True]


def test_the_first_purchase_itself_counts_as_before():
    order = {"event": "order_placed"}

    timeline = timeline_of({}, {**order, "occurred_at": at(1)}, {**order, "occurred_at": at(2)}, {"occurred_at": at(3)})

    assert timeline["is_customer"].to_list() == [False, False, True, True]
    assert timeline["is_conversion"].to_list() == [False, True, True, False]


def test_a_purchase_of_one_customer_is_not_another_s():
    timeline = timeline_of({"customer_id": "ann", "event": "order_placed"}, {"customer_id": "bob"})

    assert timeline["is_customer"].to_list() == [False, False]


def test_a_robot_s_purchase_makes_nobody_a_customer():
    timeline = timeline_of({"event": "order_placed", "is_bot": True}, {"is_bot": False, "occurred_at": at(1)})

    assert timeline["is_customer"].to_list() == [False, False]


def test_a_conversion_may_ask_for_properties():
    journey = Journey(conversions=[{"event": "deal_won", "where": {"plan": "gold"}}])
    timeline = timeline_of(
        {"event": "deal_won", "properties": '{"plan": "gold"}'}, {"event": "deal_won"}, journey=journey
    )

    assert timeline["is_conversion"].to_list() == [True, False]


def test_a_rule_on_a_channel_looks_at_the_event_s_own_way_of_coming():
    timeline = timeline_of(
        {"path": "/", "click_id": "gclid"},
        {"path": "/", "occurred_at": at(1)},
        {"path": "/", "occurred_at": at(90)},
    )

    assert timeline["touchpoint"].to_list() == ["ad", None, "ad"]
    assert timeline["channel"].to_list() == ["Paid Search", "Paid Search", "Direct"]


@pytest.mark.parametrize("key", ["own_hosts", "internal_hosts", "ignored_referrers"])
def test_a_visit_from_a_host_that_is_no_referrer_came_direct(key):
    back = {"path": "/thanks", "referrer": "https://www.pay.example/done"}

    assert timeline_of(back)["channel"].to_list() == ["Referral"]
    assert timeline_of(back, journey=Journey(**{key: ["pay.example"]}))["channel"].to_list() == ["Direct"]


def test_the_same_page_is_another_touchpoint_after_the_first_purchase():
    page = {"path": "/blog/pans", "click_id": "gclid"}

    timeline = timeline_of(page, {"event": "order_placed", "occurred_at": at(1)}, {**page, "occurred_at": at(2)})

    assert timeline["touchpoint"].to_list() == ["ad", None, "page"]


def test_a_phase_s_touchpoint_names_its_phase():
    assert timeline_of({"event": "add_to_cart"}).select("stage", "phase", "touchpoint").rows() == [
        ("try", "cart", "cart")
    ]


def test_a_rule_may_ask_for_properties():
    rich = {"event": "order_placed", "properties": '{"price": 12}'}
    poor = {"event": "order_placed", "properties": '{"price": 9}', "occurred_at": at(1)}

    assert timeline_of(rich, poor)["stage"].to_list() == ["buy", None]


def test_an_event_outside_of_sessions_keeps_its_own_channel():
    assert timeline_of({"event": "ad_impression", "given_channel": "Display"})["channel"].to_list() == ["Display"]
    assert timeline_of({"event": "deal_won", "object": "deal"})["channel"].to_list() == [None]


def test_no_events_are_no_timeline():
    nothing = build_timeline(OWNED.empty().lazy(), journey=JOURNEY).collect()

    assert CORE_EVENTS.check(nothing).is_empty()


# ---------------------------------------------------------------- laws


HAPPENINGS = ("page_view", "add_to_cart", "order_placed", "email_sent", "email_clicked", "deal_won")
happening = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(("ann", "bob", "cy")),
        "event": st.sampled_from(HAPPENINGS),
        "occurred_at": st.integers(0, 200).map(lambda step: at(step * 15)),
        "time_precision": st.sampled_from(("instant", "instant", "instant", "day")),
        "visitor_id": st.sampled_from((None, "v1", "v2")),
        "visit_id": st.sampled_from((None, "1")),
        "path": st.sampled_from((None, "/", "/blog/a")),
        "click_id": st.sampled_from((None, None, "gclid")),
        "is_bot": st.sampled_from((False, False, True)),
        "properties": st.sampled_from((None, '{"price": 12}')),
    }
)


def as_it_lands(event: dict[str, object]) -> dict[str, object]:
    """A date without a time is local midnight."""
    if event["time_precision"] == "instant":
        return event
    local = event["occurred_at"].astimezone(ZoneInfo(JOURNEY.time_zone))
    return {**event, "occurred_at": local.replace(hour=0, minute=0).astimezone(UTC)}


histories = st.lists(happening.map(as_it_lands), min_size=1, max_size=25)
bases = st.sampled_from(("customer", "visitor", "given"))


def all_tables(events: pl.LazyFrame, journey: Journey) -> list[pl.DataFrame]:
    timeline = build_timeline(events, journey=journey).collect().lazy()
    sessions = summarise_sessions(timeline, journey=journey).collect().lazy()
    entries = stage_entries(timeline, journey=journey).collect().lazy()
    derived = (touches(timeline, sessions, journey=journey), customer_activity(timeline, entries, journey=journey))
    return [table.collect() for table in (timeline, sessions, entries, *derived)]


def journey_of(basis: str, split: bool) -> Journey:
    said = {"per": basis, "split_on_campaign": split, "max_length": "6h", "timeout": "30m"}
    return JOURNEY.model_copy(update={"sessions": Journey(sessions=said).sessions})


@settings(deadline=None, max_examples=60)
@given(histories, bases, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(history, basis, split, random):
    journey = journey_of(basis, split)
    events = owned(*history).collect()
    order = random.sample(range(events.height), events.height)

    tables = all_tables(events.lazy(), journey)
    shuffled = all_tables(events[order].lazy(), journey)

    assert all(one.equals(other) for one, other in zip(tables, shuffled, strict=True))


@settings(deadline=None, max_examples=60)
@given(histories, bases, st.booleans())
def test_any_customers_alone_have_the_rows_they_have_among_others(history, basis, split):
    journey = journey_of(basis, split)
    is_ann = pl.col("customer_id") == "ann"

    together = all_tables(owned(*history), journey)
    alone = all_tables(owned(*history).filter(is_ann), journey)

    assert all(one.filter(is_ann).equals(other) for one, other in zip(together, alone, strict=True))


@settings(deadline=None, max_examples=60)
@given(histories, bases, st.booleans())
def test_every_counted_active_event_has_one_session_and_no_robot_has(history, basis, split):
    timeline = build_timeline(owned(*history), journey=journey_of(basis, split)).collect()

    assert timeline.filter("is_active")["session_id"].is_not_null().all()
    assert timeline.filter(~pl.col("is_counted"))["session_id"].is_null().all()
    assert (
        timeline.filter("is_active")
        .group_by("session_id")
        .agg(pl.col("customer_id").n_unique())["customer_id"]
        .eq(1)
        .all()
    )


@settings(deadline=None, max_examples=60)
@given(histories, bases)
def test_a_passive_event_with_a_session_lies_within_it(history, basis):
    journey = journey_of(basis, False)
    timeline = build_timeline(owned(*history), journey=journey).collect()
    sessions = summarise_sessions(timeline.lazy(), journey=journey).collect()

    joined = timeline.filter(~pl.col("is_active")).join(sessions, on="session_id")

    assert joined.filter(~pl.col("occurred_at").is_between("started_at", "ended_at")).is_empty()


# ---------------------------------------------------------------- touches


def touches_of(*events: dict[str, object], journey: Journey = JOURNEY) -> pl.DataFrame:
    timeline = build_timeline(owned(*events), journey=journey).collect().lazy()
    sessions = summarise_sessions(timeline, journey=journey)
    return CORE_TOUCHES.check(touches(timeline, sessions, journey=journey).collect())


def test_a_session_is_one_touch_at_its_start():
    found = touches_of(
        {"event": "login"},
        {"path": "/", "utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring", "occurred_at": at(1)},
    )

    assert found.select("touch_number", "touched_at", "channel", "utm_campaign", "event_id").rows() == [
        (1, START, "Paid Search", "spring", "0000")
    ]


def test_a_sent_mail_is_no_touch():
    assert touches_of({"event": "email_sent"}).is_empty()


def test_an_answered_contact_outside_of_sessions_is_a_touch():
    journey = Journey(sessions={"passive": ["email_sent", "email_clicked", "email_opened"]})

    found = touches_of({"event": "email_clicked"}, {"event": "email_opened", "occurred_at": at(1)}, journey=journey)

    assert found.select("channel", "session_id").rows() == [("Email", None)]


def test_an_answered_contact_within_a_session_is_that_session_s_touch():
    assert touches_of({"path": "/"}, {"event": "email_clicked", "occurred_at": at(1)}).height == 1


# ---------------------------------------------------------------- activity


def activity_of(*events: dict[str, object]) -> pl.DataFrame:
    timeline = build_timeline(owned(*events), journey=JOURNEY).collect().lazy()
    entries = stage_entries(timeline, journey=JOURNEY)
    return customer_activity(timeline, entries, journey=JOURNEY).collect()


def test_activity_tells_what_a_customer_did():
    order = {"event": "order_placed", "properties": '{"price": 12}'}

    row = activity_of(
        {"event": "add_to_cart", "account_id": "acme"},
        {**order, "occurred_at": at(1)},
        {**order, "occurred_at": at(2), "account_id": "acorn"},
        {"path": "/blog/a", "occurred_at": at(3)},
    ).row(0, named=True)

    assert row == {
        "customer_id": "ann", "account_id": "acorn", "first_seen_at": at(0), "last_seen_at": at(3), "event_count": 4,
        "first_purchase_at": at(1), "purchase_count": 2, "current_stage": "see", "furthest_stage": "buy",
    }  # fmt: skip


def test_robots_do_not_count_as_activity():
    row = activity_of({"event": "order_placed", "is_bot": True}).row(0, named=True)

    assert (row["event_count"], row["purchase_count"], row["first_purchase_at"]) == (0, 0, None)


@pytest.mark.parametrize("transform", [touches, customer_activity])
def test_nothing_gives_nothing(transform):
    other = CORE_SESSIONS if transform is touches else CORE_STAGE_ENTRIES

    nothing = transform(CORE_EVENTS.empty().lazy(), other.empty().lazy(), journey=JOURNEY).collect()

    assert nothing.is_empty()
