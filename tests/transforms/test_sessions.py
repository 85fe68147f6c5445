import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.contracts import CORE_EVENTS, CORE_SESSIONS, TIME
from transforms.events import build_timeline
from transforms.journey import Journey
from transforms.sessions import session_numbers, sessions_by_marks, summarise_sessions, superseded_sessions

HALF_HOUR = timedelta(minutes=30)
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
CASES = Path(__file__).resolve().parents[2] / ".." / "shared" / "cases" / "sessionize.json"
SHOP = {"conversions": [{"event": "order_placed"}]}


def owned(*events: dict[str, object]) -> pl.LazyFrame:
    """Events of customer ann, an hour after the start unless they say otherwise; each has its own id."""
    defaults = {"customer_id": "ann", "source": "web", "event": "page_view", "occurred_at": START}
    rows = [{**defaults, "event_id": f"{number:04d}", **event} for number, event in enumerate(events)]
    return pl.LazyFrame(rows, schema_overrides={"occurred_at": TIME}, infer_schema_length=None)


def at(minutes: float = 0, *, day: int = 0, us: int = 0) -> datetime:
    return START + timedelta(days=day, minutes=minutes, microseconds=us)


def timeline_of(*events: dict[str, object], **settings: object) -> pl.DataFrame:
    return build_timeline(owned(*events), journey=Journey(**settings)).collect()


def sessions_of(*events: dict[str, object], **settings: object) -> pl.DataFrame:
    journey = Journey(**settings)
    timeline = build_timeline(owned(*events), journey=journey)
    return CORE_SESSIONS.check(summarise_sessions(timeline, journey=journey).collect())


def numbers(*instants: datetime, **settings: object) -> list[int]:
    """The number of the session of each event, in the order of the timeline; None for none."""
    timeline = timeline_of(*({"occurred_at": instant} for instant in instants), **settings)
    return session_places(timeline)


def session_places(timeline: pl.DataFrame) -> list[int | None]:
    seen: dict[str, int] = {}
    return [None if name is None else seen.setdefault(name, len(seen) + 1) for name in timeline["session_id"]]


# ---------------------------------------------------------------- events that open and end sessions


def test_an_opening_event_opens_a_session_wherever_it_comes():
    timeline = timeline_of(
        {}, {"event": "app_opened", "occurred_at": at(1)}, {"occurred_at": at(2)}, sessions={"opening": ["app_opened"]}
    )

    assert session_places(timeline) == [1, 2, 2]


def test_after_a_closing_event_the_next_one_opens_a_session():
    timeline = timeline_of(
        {}, {"event": "logout", "occurred_at": at(1)}, {"occurred_at": at(2)}, sessions={"closing": ["logout"]}
    )

    assert session_places(timeline) == [1, 1, 2]


def test_time_cuts_sessions_between_opening_events_too():
    opened = {"event": "app_opened"}
    timeline = timeline_of(opened, {"occurred_at": at(31)}, sessions={"opening": ["app_opened"]})

    assert session_places(timeline) == [1, 2]


def test_an_event_that_opens_sessions_is_active_although_it_is_passive_by_default():
    assert session_places(timeline_of({"event": "session_start"})) == [None]
    assert session_places(timeline_of({"event": "session_start"}, sessions={"opening": ["session_start"]})) == [1]


def test_the_sources_own_sessions_are_not_cut_by_events():
    rules = {"per": "given", "opening": ["app_opened"]}
    timeline = timeline_of({"visit_id": "v"}, {"event": "app_opened", "visit_id": "v"}, sessions=rules)

    assert session_places(timeline) == [1, 1]


def test_an_event_cannot_both_open_and_only_extend():
    with pytest.raises(ValueError, match="sessions lists page_ping as extending"):
        Journey(sessions={"opening": ["page_ping"]})


def test_sessions_by_marks_of_nothing_are_nothing():
    nothing = pl.LazyFrame(schema={"unit": pl.String, "occurred_at": TIME, "event": pl.String})

    assert sessions_by_marks(nothing, by="unit", opening=["start"]).collect().schema["session_number"] == pl.UInt32


# ---------------------------------------------------------------- where a session ends


def test_a_gap_of_exactly_the_timeout_stays_in_the_session():
    assert numbers(at(0), at(30)) == [1, 1]


def test_a_gap_of_a_microsecond_more_starts_a_new_session():
    assert numbers(at(0), at(30, us=1)) == [1, 2]


def test_an_event_exactly_24_hours_after_the_start_stays():
    quarter_hours = [at(25 * step) for step in range(58)]

    assert numbers(*quarter_hours, at(24 * 60)) == [1] * 59


def test_the_first_event_more_than_24_hours_after_the_start_opens_a_session():
    every_20_minutes = [at(20 * step) for step in range(73)]

    assert numbers(*every_20_minutes, at(24 * 60, us=1)) == [1] * 73 + [2]


def test_a_day_of_activity_after_another_is_cut_again_and_again():
    every_20_minutes = [at(20 * step) for step in range(3 * 73 + 1)]

    assert numbers(*every_20_minutes) == [1] * 73 + [2] * 73 + [3] * 73 + [4]


def test_the_reason_of_a_cut_is_told():
    events = [*({"occurred_at": at(20 * step)} for step in range(74)), {"occurred_at": at(day=9)}]

    assert sessions_of(*events)["split_reason"].to_list() == ["first", "max_length", "timeout"]


def test_midnight_does_not_split():
    just_before = datetime(2026, 3, 2, 23, 50, tzinfo=UTC)

    assert numbers(just_before, just_before + timedelta(minutes=20)) == [1, 1]


def test_a_clock_change_does_not_split():
    before_the_jump = datetime(2026, 3, 29, 0, 50, tzinfo=UTC)

    places = numbers(before_the_jump, before_the_jump + timedelta(minutes=20), time_zone="Europe/Berlin")

    assert places == [1, 1]


def test_a_customer_s_sessions_are_not_another_s():
    timeline = timeline_of({"customer_id": "ann"}, {"customer_id": "bob"})

    assert session_places(timeline) == [1, 2]


# ---------------------------------------------------------------- passive and uncounted events


def test_passive_events_never_bridge_two_sittings():
    timeline = timeline_of({}, {"event": "email_sent", "occurred_at": at(25)}, {"occurred_at": at(50)})

    assert session_places(timeline) == [1, None, 2]


def test_passive_events_never_open_a_session():
    timeline = timeline_of({"event": "email_sent"}, {"occurred_at": at(1)})

    assert session_places(timeline) == [None, 1]


def test_a_passive_event_within_a_session_joins_it():
    timeline = timeline_of({}, {"event": "deal_won", "occurred_at": at(5)}, {"occurred_at": at(10)})

    assert session_places(timeline) == [1, 1, 1]


def test_a_passive_event_at_the_instant_of_start_or_end_joins():
    timeline = timeline_of(
        {"event": "email_sent", "event_id": "a"},
        {"event_id": "b"},
        {"event_id": "c", "occurred_at": at(5)},
        {"event": "email_sent", "event_id": "d", "occurred_at": at(5)},
    )

    assert session_places(timeline) == [1, 1, 1, 1]


def test_a_passive_event_of_another_customer_at_the_same_instant_does_not_join():
    timeline = timeline_of({"customer_id": "ann"}, {"customer_id": "bob", "event": "email_sent"})

    assert timeline["session_id"].is_null().to_list() == [False, True]


def test_robots_and_internal_traffic_have_no_session():
    timeline = timeline_of({"is_bot": True}, {"is_internal": True, "occurred_at": at(1)})

    assert session_places(timeline) == [None, None]
    assert timeline["is_counted"].to_list() == [False, False]


def test_robots_do_not_bridge():
    timeline = timeline_of(
        {"is_bot": False}, {"is_bot": True, "occurred_at": at(25)}, {"is_bot": False, "occurred_at": at(50)}
    )

    assert session_places(timeline) == [1, None, 2]


def test_a_date_neither_cuts_nor_joins_a_sitting():
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    timeline = timeline_of(
        {"event_id": "before", "occurred_at": midnight - timedelta(minutes=10)},
        {"event_id": "day", "occurred_at": midnight - timedelta(days=1), "time_precision": "day"},
        {"event_id": "after", "occurred_at": midnight + timedelta(minutes=10)},
    )

    assert dict(zip(timeline["event_id"], session_places(timeline), strict=True)) == {"before": 1, "day": 2, "after": 1}


# ---------------------------------------------------------------- extending events

PING = {"event": "page_ping"}


def test_a_ping_never_opens_a_session():
    timeline = timeline_of(PING, {"occurred_at": at(1)}, {**PING, "customer_id": "bob"})

    assert dict(zip(timeline["event_id"], session_places(timeline), strict=True)) == {
        "0000": None, "0001": 1, "0002": None,
    }  # fmt: skip


def test_pings_keep_a_session_open():
    timeline = timeline_of(
        {}, {**PING, "occurred_at": at(30)}, {**PING, "occurred_at": at(60)}, {"occurred_at": at(90)}
    )

    assert session_places(timeline) == [1, 1, 1, 1]


def test_a_ping_later_than_the_timeout_stands_alone_and_bridges_nothing():
    timeline = timeline_of({}, {**PING, "occurred_at": at(30, us=1)}, {"occurred_at": at(50)})

    assert session_places(timeline) == [1, None, 2]


def test_a_ping_alone_does_not_bring_a_later_ping_into_the_session_before():
    timeline = timeline_of({}, {**PING, "occurred_at": at(31)}, {**PING, "occurred_at": at(59)})

    assert session_places(timeline) == [1, None, None]


def test_pings_keep_no_session_open_beyond_its_greatest_length():
    pings = [{**PING, "occurred_at": at(20 * step)} for step in range(1, 75)]
    timeline = timeline_of({}, *pings, {"occurred_at": at(25 * 60)})

    assert session_places(timeline) == [1] * 73 + [None, None, 2]


def test_a_ping_at_the_instant_of_the_first_event_joins_whatever_its_id():
    timeline = timeline_of({**PING, "event_id": "a"}, {"event_id": "b"})

    assert session_places(timeline) == [1, 1]


def test_a_visit_with_pings_alone_is_a_bounce_that_lasted():
    pings = [{**PING, "occurred_at": at(minutes), "path": "/b"} for minutes in (10, 20)]

    session = sessions_of({"path": "/a"}, *pings, {**PING, "occurred_at": at(51)}).row(0, named=True)

    assert (session["is_bounce"], session["event_count"], session["page_count"]) == (True, 1, 1)
    assert (session["ended_at"], session["duration_seconds"], session["engaged_seconds"]) == (at(20), 1200, 1200)
    assert (session["entry_path"], session["exit_path"]) == ("/a", "/a")


def test_a_session_after_one_that_pings_kept_open_began_by_the_timeout():
    events = [{}, {**PING, "occurred_at": at(20)}, {"occurred_at": at(51)}]

    assert sessions_of(*events)["split_reason"].to_list() == ["first", "timeout"]


def test_pings_of_a_robot_extend_nothing():
    timeline = timeline_of(
        {"is_bot": False}, {**PING, "is_bot": True, "occurred_at": at(20)}, {"is_bot": False, "occurred_at": at(40)}
    )

    assert session_places(timeline) == [1, None, 2]


def test_a_ping_keeps_the_session_of_its_own_browser_open():
    events = [
        {"visitor_id": "a"},
        {"visitor_id": "b", "occurred_at": at(1)},
        {**PING, "visitor_id": "a", "occurred_at": at(20)},
        {"visitor_id": "b", "occurred_at": at(40)},
        {"visitor_id": "a", "occurred_at": at(41)},
    ]

    assert session_places(timeline_of(*events, sessions={"per": "visitor"})) == [1, 2, 1, 3, 1]


def test_a_ping_belongs_to_the_source_s_own_session_once_that_has_begun():
    visit = {"visitor_id": "a", "visit_id": "1"}
    events = [{**visit, **PING}, {**visit, "occurred_at": at(1)}, {**visit, **PING, "occurred_at": at(300)}]

    assert session_places(timeline_of(*events, sessions={"per": "given"})) == [None, 1, 1]


def test_a_ping_after_a_new_campaign_belongs_to_the_new_session():
    events = [
        {"path": "/", "utm_medium": "email", "utm_campaign": "may"},
        {"path": "/", "utm_medium": "email", "utm_campaign": "june", "occurred_at": at(1)},
        {**PING, "path": "/", "utm_medium": "email", "utm_campaign": "may", "occurred_at": at(2)},
        {"path": "/", "occurred_at": at(31)},
    ]

    assert session_places(timeline_of(*events, sessions={"split_on_campaign": True})) == [1, 2, 2, 2]


def test_which_events_extend_is_said_in_the_journey():
    beats = [{}, {"event": "video_beat", "occurred_at": at(25)}, {**PING, "occurred_at": at(50)}]

    timeline = timeline_of(*beats, {"event": "login", "occurred_at": at(54)}, sessions={"extending": ["video_beat"]})

    assert timeline["is_active"].to_list() == [True, False, True, True]
    assert session_places(timeline) == [1, 1, 1, 1]


def test_an_event_is_of_one_kind():
    with pytest.raises(ValueError, match="lists page_ping as passive and as extending"):
        Journey(sessions={"passive": ["page_ping"]})


KINDS = {"act": "page_view", "ping": "page_ping", "mail": "email_sent"}
kinds_of_units = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 300), st.sampled_from(list(KINDS))), min_size=1, max_size=40
)


@settings(deadline=None, max_examples=100)
@given(kinds_of_units, st.sampled_from(["customer", "visitor"]), st.randoms(use_true_random=False))
def test_sessions_with_pings_are_those_of_counting_one_by_one(history, per, chance):
    events = [
        {"visitor_id": unit, "occurred_at": at(minute), "event": KINDS[kind], "event_id": f"{number:04d}"}
        for number, (unit, minute, kind) in enumerate(history)
    ]
    rules = {"timeout": "20m", "max_length": "90m", "per": per}
    journey = Journey(sessions=rules)
    timeline = build_timeline(owned(*chance.sample(events, len(events))), journey=journey).collect()
    sessions = CORE_SESSIONS.check(summarise_sessions(timeline.lazy(), journey=journey).collect())
    of_event = dict(timeline.filter(pl.col("session_id").is_not_null()).select("event_id", "session_id").rows())

    expected = sessions_one_by_one(events, per)

    told = {row["session_id"]: row for row in sessions.iter_rows(named=True)}
    assert len(told) == len(expected)
    held = {event["event_id"] for session in expected for event in session}
    for session in expected:
        row = told[of_event[session[0]["event_id"]]]
        assert {of_event[event["event_id"]] for event in session} == {row["session_id"]}
        times = [event["occurred_at"] for event in session]
        active = [event for event in session if event["event"] == "page_view"]
        assert (row["started_at"], row["ended_at"], row["event_count"]) == (times[0], times[-1], len(active))
        assert row["is_bounce"] == (len(active) == 1)
        assert row["engaged_seconds"] == (times[-1] - times[0]).total_seconds()
    for event in events:
        if event["event_id"] not in held:
            around = {
                of_event[session[0]["event_id"]]
                for session in expected
                if session[0]["occurred_at"] <= event["occurred_at"] <= session[-1]["occurred_at"]
            }
            assert of_event.get(event["event_id"]) in (around or {None})


def sessions_one_by_one(events: list[dict], per: str) -> list[list[dict]]:
    """The active events, and the pings that extend, of each session, by walking through each unit's events."""
    sessions: list[list[dict]] = []
    for unit in ("ab",) if per == "customer" else ("a", "b"):
        is_open = False
        for event in sorted(events, key=lambda event: (event["occurred_at"], event["event_id"])):
            if event["visitor_id"] not in unit or event["event"] == "email_sent":
                continue
            goes_on = (
                is_open
                and event["occurred_at"] - sessions[-1][-1]["occurred_at"] <= timedelta(minutes=20)
                and event["occurred_at"] - sessions[-1][0]["occurred_at"] <= timedelta(minutes=90)
            )
            if goes_on:
                sessions[-1].append(event)
            elif event["event"] == "page_view":
                sessions.append([event])
                is_open = True
    return sessions


# ---------------------------------------------------------------- other bases


def test_per_visitor_two_browsers_have_two_sessions():
    events = [{"visitor_id": "a"}, {"visitor_id": "b", "occurred_at": at(1)}, {"visitor_id": "a", "occurred_at": at(2)}]

    assert session_places(timeline_of(*events, sessions={"per": "visitor"})) == [1, 2, 1]


def test_a_passive_event_within_the_sessions_of_two_visitors_joins_the_one_that_ends_last():
    events = [
        {"visitor_id": "a"},
        {"visitor_id": "b", "occurred_at": at(1)},
        {"event": "email_sent", "occurred_at": at(2)},
        {"visitor_id": "b", "occurred_at": at(3)},
        {"visitor_id": "a", "occurred_at": at(9)},
    ]

    assert session_places(timeline_of(*events, sessions={"per": "visitor"})) == [1, 2, 1, 2, 1]


def test_given_sessions_are_the_source_s_own():
    events = [
        {"visitor_id": "a", "visit_id": "1"},
        {"visitor_id": "a", "visit_id": "1", "occurred_at": at(300)},
        {"visitor_id": "a", "visit_id": "2", "occurred_at": at(301)},
        {"visitor_id": "b", "visit_id": "2", "occurred_at": at(302)},
    ]

    assert session_places(timeline_of(*events, sessions={"per": "given"})) == [1, 1, 2, 3]


def test_events_without_the_source_s_session_fall_back_on_the_timeout():
    events = [
        {"visitor_id": "a"},
        {"visitor_id": "a", "occurred_at": at(30)},
        {"visitor_id": "a", "occurred_at": at(61)},
    ]

    assert session_places(timeline_of(*events, sessions={"per": "given"})) == [1, 1, 2]


def test_a_campaign_after_an_event_without_a_page_stays_in_its_session():
    events = ({}, {"click_id": "gclid", "occurred_at": at(1)})

    assert session_places(timeline_of(*events, sessions={"split_on_campaign": True})) == [1, 1]


def test_a_new_campaign_splits_only_where_asked():
    events = [
        {"path": "/", "utm_medium": "email", "utm_campaign": "may"},
        {"path": "/", "occurred_at": at(1)},
        {"path": "/", "utm_medium": "email", "utm_campaign": "may", "occurred_at": at(2)},
        {"path": "/", "utm_medium": "email", "utm_campaign": "june", "occurred_at": at(3)},
    ]

    assert session_places(timeline_of(*events)) == [1, 1, 1, 1]
    assert session_places(timeline_of(*events, sessions={"split_on_campaign": True})) == [1, 1, 1, 2]


def test_a_campaign_splits_a_session_that_came_direct():
    events = [{"path": "/"}, {"path": "/", "utm_medium": "email", "occurred_at": at(1)}]

    assert session_places(timeline_of(*events, sessions={"split_on_campaign": True})) == [1, 2]
    assert sessions_of(*events, sessions={"split_on_campaign": True})["split_reason"].to_list() == ["first", "campaign"]


def test_a_session_s_id_is_that_of_its_first_event_and_its_basis():
    one = timeline_of({"event_id": "x"}, {"event_id": "y", "occurred_at": at(1)})
    other = timeline_of({"event_id": "x"})
    by_visitor = timeline_of({"event_id": "x"}, sessions={"per": "visitor"})

    assert set(one["session_id"]) == set(other["session_id"])
    assert set(by_visitor["session_id"]) != set(other["session_id"])


# ---------------------------------------------------------------- channel of a session


def test_the_channel_is_that_of_the_first_event_with_page_or_campaign_data():
    timeline = timeline_of(
        {"event": "login"},
        {"path": "/", "referrer": "https://www.google.com/", "occurred_at": at(1)},
        {"path": "/", "utm_medium": "email", "occurred_at": at(2)},
    )

    assert timeline["channel"].to_list() == ["Organic Search"] * 3


def test_a_page_that_says_nothing_is_direct():
    timeline = timeline_of({"path": "/"}, {"path": "/a", "utm_medium": "email", "occurred_at": at(1)})

    assert timeline["channel"].to_list() == ["Direct", "Direct"]


def test_a_contact_off_the_site_has_its_medium():
    call = {"event": "call_answered", "object": "call"}

    assert timeline_of(call)["channel"].to_list() == ["Phone"]
    assert timeline_of({"event": "ticket_opened", "object": "ticket"})["channel"].to_list() == [None]


# ---------------------------------------------------------------- sums


def test_a_session_counts_active_events_and_times_them():
    events = [
        {"path": "/a"},
        {"path": "/b", "occurred_at": at(10)},
        {"event": "email_sent", "occurred_at": at(12)},
        {"event": "add_to_cart", "path": "/b", "occurred_at": at(20, us=999_999)},
    ]

    session = sessions_of(*events).row(0, named=True)

    assert (session["event_count"], session["page_count"], session["duration_seconds"]) == (3, 2, 1200)
    assert (session["entry_path"], session["exit_path"], session["is_bounce"]) == ("/a", "/b", False)
    assert (session["started_at"], session["ended_at"]) == (at(0), at(20, us=999_999))


def test_one_active_event_is_a_bounce():
    assert sessions_of({}, {"event": "email_sent"})["is_bounce"].to_list() == [True]


def test_engaged_time_leaves_pauses_longer_than_the_timeout_out():
    visit = {"visitor_id": "a", "visit_id": "1"}
    events = [visit, {**visit, "occurred_at": at(10)}, {**visit, "occurred_at": at(70)}]

    session = sessions_of(*events, sessions={"per": "given"}).row(0, named=True)

    assert (session["duration_seconds"], session["engaged_seconds"]) == (4200, 600)


def test_revenue_is_what_was_sold_less_what_came_back():
    sale = {"event": "order_placed", "value_minor": 5000, "currency": "EUR"}
    comes_back = {"event": "order_returned", "value_minor": -1500, "currency": "EUR", "occurred_at": at(5)}
    cart = {"event": "add_to_cart", "value_minor": 900, "currency": "EUR", "occurred_at": at(6)}

    session = sessions_of(sale, comes_back, cart, **SHOP).row(0, named=True)

    assert (session["revenue_minor"], session["currency"], session["is_converted"]) == (3500, "EUR", True)


def test_a_return_counts_against_revenue_however_it_is_signed():
    comes_back = {"event": "order_returned", "value_minor": 1500, "currency": "EUR"}

    assert sessions_of(comes_back, **SHOP)["revenue_minor"].to_list() == [-1500]


def test_currencies_are_never_added():
    euros = {"event": "order_placed", "value_minor": 5000, "currency": "EUR"}
    dollars = {"event": "order_placed", "value_minor": 5000, "currency": "USD", "occurred_at": at(5)}

    session = sessions_of(euros, dollars, **SHOP).row(0, named=True)

    assert (session["revenue_minor"], session["currency"]) == (None, "mixed")


def test_a_session_that_sells_nothing_has_no_revenue():
    session = sessions_of({"value_minor": 900, "currency": "EUR"}, **SHOP).row(0, named=True)

    assert (session["revenue_minor"], session["currency"], session["is_converted"]) == (None, None, False)


def test_the_deepest_stage_is_by_the_order_of_the_journey():
    stages = [
        {"name": name, "touchpoints": [{"name": name, "when": {"event": event}}]}
        for name, event in (("see", "page_view"), ("think", "search"), ("do", "order_placed"))
    ]
    events = [{"event": "search"}, {"event": "order_placed", "occurred_at": at(1)}, {"occurred_at": at(2)}]

    session = sessions_of(*events, stages=stages).row(0, named=True)

    assert (session["first_stage"], session["last_stage"], session["deepest_stage"]) == ("think", "see", "do")


def test_sessions_are_numbered_within_their_customer():
    events = [{"customer_id": name, "occurred_at": at(day=day)} for name in ("bob", "ann") for day in (1, 0)]

    sessions = sessions_of(*events)

    assert sessions.select("customer_id", "session_number").rows() == [("ann", 1), ("ann", 2), ("bob", 1), ("bob", 2)]


def test_no_events_are_no_sessions():
    nothing = summarise_sessions(CORE_EVENTS.empty().lazy(), journey=Journey()).collect()

    assert CORE_SESSIONS.check(nothing).is_empty()


# ---------------------------------------------------------------- session numbers alone


def known_cases() -> list[dict[str, object]]:
    cases = json.loads(CASES.read_text()) if CASES.exists() else []
    return [case for case in cases if "gap_seconds" in case["query"]]


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not beside the checkout")
@pytest.mark.parametrize("case", known_cases(), ids=lambda case: case["id"])
def test_session_numbers_agree_with_the_known_cases(case):
    events = pl.LazyFrame(
        {"unit": [event[0] for event in case["events"]], "at": [event[2] for event in case["events"]]}
    ).select("unit", occurred_at=pl.col("at").str.to_datetime(time_unit="us", time_zone="UTC"))

    numbered = session_numbers(events, by="unit", timeout=timedelta(seconds=case["query"]["gap_seconds"])).collect()

    assert numbered["session_number"].to_list() == case["expected"]["session_index"]


def test_session_numbers_of_nothing_are_nothing():
    nothing = pl.LazyFrame(schema={"unit": pl.String, "occurred_at": TIME})

    numbered = session_numbers(nothing, by="unit", timeout=HALF_HOUR, max_length=timedelta(days=1)).collect()

    assert numbered.schema["session_number"] == pl.UInt32
    assert numbered.is_empty()


minutes_of_units = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 600)), max_size=40)


@given(minutes_of_units, st.integers(1, 60), st.integers(30, 200))
def test_session_numbers_are_those_of_counting_one_by_one(timeline, timeout, longest):
    events = pl.LazyFrame(
        {"unit": [unit for unit, _ in timeline], "occurred_at": [at(minute) for _, minute in timeline]},
        schema={"unit": pl.String, "occurred_at": TIME},
    )

    numbered = session_numbers(
        events, by="unit", timeout=timedelta(minutes=timeout), max_length=timedelta(minutes=longest)
    ).collect()

    assert numbered["session_number"].to_list() == counted_one_by_one(timeline, timeout, longest)


def counted_one_by_one(timeline: list[tuple[str, int]], timeout: int, longest: int) -> list[int]:
    found: dict[tuple[str, int], int] = {}
    for unit in "ab":
        number, start, last = 0, 0, 0
        for minute in sorted(minute for name, minute in timeline if name == unit):
            if number == 0 or minute - last > timeout or minute - start > longest:
                number, start = number + 1, minute
            last = minute
            found[unit, minute] = number
    return [found[event] for event in timeline]


@settings(deadline=None)
@given(minutes_of_units)
def test_every_active_event_belongs_to_exactly_one_session(timeline):
    events = [{"customer_id": unit, "occurred_at": at(minute)} for unit, minute in timeline] or [{"is_bot": True}]

    sessions = sessions_of(*events)

    assert sessions["event_count"].sum() == len(timeline)
    assert (sessions["started_at"] <= sessions["ended_at"]).all()
    assert sessions["session_id"].is_unique().all()


# ---------------------------------------------------------------- ids that vanished


def became(*vanished, events):
    """What became of vanished sessions: their reason and successor."""
    told = [
        {"session_id": session, "source": "web", "event_id": event, "superseded_at": START + timedelta(days=day)}
        for day, (session, event) in enumerate(vanished)
    ]
    seen = [
        {"source": "web", "event_id": event, "customer_id": "ann", "session_id": session}
        for event, session in events.items()
    ]
    columns = ["source", "event_id", "customer_id", "session_id"]
    now = pl.LazyFrame(seen, schema=dict.fromkeys(columns, pl.String))
    found = superseded_sessions(pl.LazyFrame(told, schema_overrides={"superseded_at": TIME}), now).collect()
    return {row["session_id"]: (row["reason"], row["successor_session_id"]) for row in found.rows(named=True)}


def test_a_session_that_an_earlier_event_reaches_is_joined_to_that_event_s():
    assert became(("old", "e2"), events={"e1": "new", "e2": "new"}) == {"old": ("joined", "new")}


def test_a_session_whose_event_is_in_none_any_more_is_outside():
    assert became(("old", "e1"), events={"e1": None}) == {"old": ("outside", None)}


def test_a_session_whose_event_is_not_there_any_more_is_gone():
    assert became(("old", "e1"), events={"e2": "other"}) == {"old": ("gone", None)}


def test_a_session_that_is_given_again_is_not_superseded():
    assert became(("old", "e1"), events={"e1": "old"}) == {}


def test_of_a_session_that_vanished_twice_the_later_night_speaks():
    assert became(("old", "e1"), ("old", "e2"), events={"e1": "a", "e2": "b"}) == {"old": ("joined", "b")}
