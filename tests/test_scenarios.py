"""The worked examples of journeys, S1 to S30: the preset of each, the stage of every event, and what must come out."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from pipelines.warehouse import Connection, insert
from tests.test_sql import connection as connection
from tests.test_sql import put, rows
from tests.test_sql import warehouse as warehouse
from transforms.contracts import MART_FUNNEL_ENTRANT_GROUPS, TABLES, TIME
from transforms.events import build_timeline
from transforms.funnels import funnel_answer, funnel_entrants
from transforms.journey import Funnel, Journey
from transforms.sales import sales_outcomes
from transforms.stages import stage_entries

PRESETS = Path(__file__).resolve().parents[1] / "pipelines" / "presets"
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
AD = {"utm_source": "facebook", "utm_medium": "paid_social"}
SEARCH = {"referrer": "https://www.google.com/"}
RETARGETED = {"utm_source": "facebook", "utm_medium": "retargeting"}
FORWARD, SKIP, BACK = "forward", "skip", "back"

Event = dict[str, Any]
Story = list[tuple[Event, str | None]]


@cache
def preset(name: str) -> Journey:
    return Journey(**yaml.safe_load((PRESETS / f"{name}.yaml").read_text("utf-8")))


def page(path: str, **said: Any) -> Event:
    return {"event": "page_view", "hostname": "www.shop.example", "path": path, **said}


def did(event: str, **said: Any) -> Event:
    """Something that happened; names that are no columns are properties."""
    columns = {name: said.pop(name) for name in list(said) if name in COLUMNS}
    return {"event": event, **columns, **({"properties": json.dumps(said)} if said else {})}


COLUMNS = {"at", "who", "account_id", "object", "record_id", "state", "channel", "source", "utm_source", "utm_medium"}


def timeline(name: str, events: list[Event]) -> pl.LazyFrame:
    """Events a day apart (or on day `at`), of one customer unless `who` says another."""
    told = [
        {"customer_id": event.get("who", "ann"), "source": "web", "event_id": f"{number:03}",
         "occurred_at": START + timedelta(days=event.get("at", number)),
         **{key: value for key, value in event.items() if key not in ("at", "who")}}
        for number, event in enumerate(events)
    ]  # fmt: skip
    owned = pl.LazyFrame(told, schema_overrides={"occurred_at": TIME}, infer_schema_length=None)
    return build_timeline(owned, journey=preset(name)).collect().lazy()


def events_of(story: Story) -> list[Event]:
    return [event for event, _ in story]


def moves(name: str, story: Story) -> list[tuple[str, str]]:
    entries = stage_entries(timeline(name, events_of(story)), journey=preset(name)).collect()
    return entries.select("stage", "direction").rows()


def steps(name: str, events: list[Event], funnel: str | Funnel) -> list[int]:
    """How many units reach each step of a preset's funnel, all windows closed."""
    named = {item.name: item for item in preset(name).funnels}
    asked = named[funnel] if isinstance(funnel, str) else funnel
    horizon = START + timedelta(days=3_000)
    found = funnel_entrants(timeline(name, events), asked, horizon=horizon).collect()
    answer = funnel_answer(found, MART_FUNNEL_ENTRANT_GROUPS.empty(), asked, horizon=horizon, with_attempts=False)
    return [step["count"] for step in answer["steps"]]


def walk(*names: str, **changes: Any) -> Funnel:
    return Funnel.model_validate({"name": "walk", "steps": [{"event": name} for name in names], **changes})


def publish(connection: Connection, name: str, events: list[Event], *, horizon: float = 400) -> None:
    """The timeline as the views find it."""
    frame = timeline(name, events).collect()
    insert(connection, TABLES["core.events"], frame)
    people = sorted(set(frame["customer_id"]))
    put(connection, "core.customers", *({"customer_id": who, "event_count": 1, "purchase_count": 0} for who in people))
    put(
        connection,
        "mart.horizons",
        {"source": "web", "horizon": START + timedelta(days=horizon), "is_in_journey": True},
    )
    sold = sales_outcomes(frame.lazy(), horizon=START + timedelta(days=horizon)).collect()
    insert(connection, TABLES["mart.sales_outcomes"], sold)


CART = {"campaign": "abandoned_cart"}
STORIES: dict[str, tuple[str, Story]] = {
    "S1 shoe buyer": ("ecommerce", [
        (did("ad_clicked", channel="Paid Social"), "awareness"), (page("/c/shoes"), "consideration"),
        (did("add_to_cart", at=2), "purchase"), (did("email_sent", at=2.2, **CART), None),
        (did("email_clicked", at=3.5, **CART), "purchase"), (did("coupon_applied", at=3.6), "purchase"),
        (did("order_placed", at=3.7), "purchase"), (did("order_exchanged"), "retention"), (did("review_posted"), "advocacy"),
    ]),
    "S2 nine-point lead generation": ("ecommerce", [
        (page("/", **AD), "awareness"), (page("/c/kettles"), "consideration"), (did("form_submitted"), "consideration"),
        (did("chat_started"), "consideration"), (did("checkout_started"), "purchase"), (page("/", **RETARGETED), "consideration"),
        (did("order_placed"), "purchase"), (did("chat_started"), "retention"), (page("/", **AD), "retention"),
    ]),
    "S3 gym": ("saas", [
        (page("/", **SEARCH), "awareness"), (page("/vs/other-gyms"), "awareness"), (page("/pricing"), "acquisition"),
        (did("form_submitted"), "acquisition"), (did("meeting_held"), "acquisition"), (did("trial_started"), "acquisition"),
        (did("feature_used"), "acquisition"), (did("subscription_started"), "acquisition"), (did("training_attended"), "adoption"),
        (did("referral_made"), "advocacy"), (did("social_shared"), "advocacy"), (did("testimonial_given"), "advocacy"),
    ]),
    "S4 subscription software": ("saas", [
        (page("/", referrer="https://www.linkedin.com/"), "awareness"), (page("/reports/2026"), "awareness"),
        (page("/vs/others"), "awareness"), (did("demo_held"), "acquisition"), (did("trial_started"), "acquisition"),
        (did("call_made"), "acquisition"), (did("subscription_started"), "acquisition"), (did("product_tour_taken"), "adoption"),
        (did("ticket_opened"), "adoption"), (did("email_opened", campaign="renewal_reminder"), "renewal"),
        (did("survey_answered", survey="csat", score="5"), "renewal"), (did("subscription_renewed"), "renewal"),
        (did("seats_added"), "expansion"), (did("loyalty_joined"), "advocacy"), (did("referral_made"), "advocacy"),
    ]),
    "S5 social-ad buyer": ("ecommerce", [
        (page("/p/kettle", **AD), "awareness"), (page("/p/kettle"), "consideration"), (page("/compare"), "consideration"),
        (did("order_placed"), "purchase"), (did("ticket_opened", object="ticket"), "retention"), (did("email_opened"), "retention"),
    ]),
    "S6 productivity app": ("saas", [
        (did("ad_clicked"), "awareness"), (page("/features"), "acquisition"), (page("/reviews"), "acquisition"),
        (did("signed_up"), "acquisition"), (did("subscription_started"), "acquisition"), (did("feature_used"), "adoption"),
        (did("ticket_opened"), "adoption"), (did("ticket_resolved"), "adoption"), (did("login"), "adoption"),
        (did("referral_made"), "advocacy"),
    ]),
    "S7 consulting firm": ("b2b", [
        (page("/blog/trends"), "out of market"), (page("/case-studies/acme"), "initial consideration"),
        (did("form_submitted"), "initial consideration"), (did("consultation_held"), "active evaluation"),
        (did("proposal_sent"), "purchase decision"), (did("deal_won"), "purchase decision"), (did("meeting_held"), "implementation"),
        (did("project_completed"), "implementation"), (did("deal_created"), "loyalty"), (did("referral_made"), "loyalty"),
    ]),
    "S8 marketing agency": ("b2b", [
        (did("form_submitted"), "initial consideration"), (did("meeting_held"), "active evaluation"),
        (did("proposal_sent"), "purchase decision"), (did("deal_won"), "purchase decision"), (did("project_started"), "implementation"),
        (did("report_delivered"), "loyalty"), (did("project_started"), "implementation"), (did("report_delivered"), "loyalty"),
    ]),
    "S9 holiday": ("ecommerce", [
        (page("/blog/islands", **SEARCH), "awareness"), (page("/reviews"), "consideration"), (page("/compare/hotels"), "consideration"),
        (page("/p/island"), "consideration"), (did("order_placed"), "purchase"), (did("board_plane"), None),
        (did("survey_answered"), "retention"), (did("social_shared"), "advocacy"), (did("order_placed"), "retention"),
    ]),
    "S10 toothache": ("ecommerce", [
        (page("/guides/toothache"), "awareness"), (page("/testimonials"), "consideration"), (did("checkout_started"), "purchase"),
        (did("payment_entered"), "purchase"),
    ]),
    "S11 sofa": ("ecommerce", [
        *((page("/p/sofa", at=5 * number), "consideration") for number in range(8)), (did("store_visited", at=38), "consideration"),
        (did("order_placed", at=40), "purchase"), (did("email_opened", at=60), "retention"),
    ]),
    "S12 expansion inside an account": ("saas", [
        (did("subscription_started", account_id="acme"), "acquisition"), (did("feature_used", account_id="acme"), "adoption"),
        (did("seats_added", account_id="acme", at=30), "expansion"), (did("feature_used", who="bob", account_id="acme", at=31), "acquisition"),
        (did("feature_used", who="cid", account_id="acme", at=32), "acquisition"),
    ]),
    "S13 phases of a company": ("b2b", [
        (page("/podcast/1"), "out of market"), (did("webinar_attended"), "problem recognition"),
        (page("/solutions/x"), "initial consideration"), (did("demo_held"), "active evaluation"),
        (did("contract_signed"), "purchase decision"), (did("deal_won"), "purchase decision"),
        (did("training_attended"), "implementation"), (did("review_meeting_held"), "loyalty"),
    ]),
    "S14 checkout": ("ecommerce", [
        (did("checkout_started"), "purchase"), *((page(f"/checkout/{number}"), "purchase") for number in range(2, 7)),
        (page("/thank-you"), "purchase"),
    ]),
    "S15 pricing page": ("saas", [
        (page("/pricing"), "acquisition"), (page("/features"), "acquisition"), (page("/customers"), "acquisition"),
    ]),
    "S16 e-mail, trial, paid": ("saas", [
        (did("form_submitted"), "acquisition"), (did("email_opened"), "acquisition"), (did("trial_started"), "acquisition"),
        (did("subscription_started"), "acquisition"),
    ]),
    "S17 basket dropped at personal details": ("ecommerce", [
        (did("add_to_cart"), "purchase"), (did("checkout_started"), "purchase"),
    ]),
    "S18 evaluation": ("saas", [
        (page("/product/try"), "acquisition"), (did("trial_started"), "acquisition"), (did("feature_used"), "acquisition"),
    ]),
    "S19 automated nurture": ("saas", [
        (did("form_submitted"), "acquisition"), (did("email_sent"), None), (did("email_opened"), "acquisition"),
        (did("email_clicked"), "acquisition"), (did("email_sent"), None), (did("demo_requested"), "acquisition"),
    ]),
    "S20 a page not found is a touchpoint": ("ecommerce", [
        (did("ad_impression"), "awareness"), (page("/c/lamps"), "consideration"), (page("/404"), None), (page("/c/lamps"), "consideration"),
    ]),
    "S21 support contacts": ("support", [
        (did("ticket_opened", object="ticket", record_id="a", at=0), "opened"),
        (did("call_made", at=1), "opened"), (did("call_held", at=1.04), "in progress"), (did("social_posted", at=2), None),
        (did("ticket_opened", object="ticket", record_id="d", at=3), "opened"),
        (did("ticket_replied", object="ticket", record_id="d", at=3.5), "in progress"),
        (did("ticket_resolved", object="ticket", record_id="d", at=4), "resolved"),
    ]),
    "S22 support map": ("support", [
        (did("ticket_opened"), "opened"), (did("chat_started"), "opened"), (did("ticket_escalated"), "triaged"),
        (did("ticket_replied"), "in progress"), (did("ticket_stage_entered", state="On Hold"), "in progress"),
        (did("ticket_closed"), "resolved"),
    ]),
    "S23 subscription churn": ("saas", [
        (did("subscription_started"), "acquisition"), (did("subscription_expiring", at=300), "renewal"),
        (did("subscription_renewed", at=310), "renewal"), (did("subscription_cancelled", at=350, cancel_reason="price"), "renewal"),
    ]),
    "S24 says yes, leaves": ("saas", [
        (did("subscription_started"), "acquisition"), (did("survey_answered", survey="nps", score="10"), "renewal"),
        (did("subscription_expired"), "renewal"),
    ]),
    "S25 ninety days of onboarding": ("saas", [
        (did("subscription_started"), "acquisition"), (did("migration_completed"), "adoption"), (did("training_attended"), "adoption"),
        (did("login"), "adoption"), (did("feature_used", at=80), "adoption"),
    ]),
    "S26 car buyer": ("ecommerce", [
        (did("order_placed"), "purchase"), (did("order_delivered", at=120), "retention"), (did("store_visited", at=120.1), "retention"),
    ]),
    "S27 long or invisible awareness": ("ecommerce", [
        (did("ad_impression", at=-7300), "awareness"), (did("form_submitted", at=0), "consideration"), (did("order_placed", at=1), "purchase"),
    ]),
    "S28 search entry": ("ecommerce", [
        (page("/blog/how-rods-are-made", **SEARCH), "awareness"), (page("/compare/rods"), "consideration"),
        (did("order_placed"), "purchase"), (did("call_made"), "retention"),
    ]),
    "S29 booking and stay": ("ecommerce", [
        (page("/search"), "consideration"), (did("order_placed"), "purchase"), (did("survey_answered", at=30), "retention"),
    ]),
    "S30 lost sale with reason": ("b2b", [
        (did("lead_created", object="lead", record_id="l1"), "initial consideration"),
        (did("deal_created", object="deal", record_id="d1"), "active evaluation"),
        (did("deal_lost", object="deal", record_id="d1", lost_reason="price"), "purchase decision"),
    ]),
}  # fmt: skip


def story(number: int) -> tuple[str, Story]:
    return next(told for name, told in STORIES.items() if name.startswith(f"S{number} "))


def test_every_scenario_is_there():
    assert [int(name.split()[0][1:]) for name in STORIES] == list(range(1, 31))


@pytest.mark.parametrize("name", STORIES)
def test_each_event_of_a_scenario_has_its_stage(name: str):
    of_preset, told = STORIES[name]

    mapped = timeline(of_preset, events_of(told)).sort("event_id").collect()["stage"].to_list()

    assert mapped == [stage for _, stage in told]


# ---------------------------------------------------------------- what must come out: whole journeys


def test_s1_the_abandoned_cart_is_listed_once_and_recovered_and_the_exchange_is_no_churn(connection: Connection):
    name, told = story(1)
    publish(connection, name, events_of(told))

    assert rows(connection, "SELECT status FROM mart.abandoned_carts") == [("recovered",)]
    assert rows(connection, "SELECT count(*) FROM mart.promoters_who_left") == [(0,)]
    assert [stage for stage, _ in moves(name, told)] == preset(name).stage_names
    assert {direction for _, direction in moves(name, told)} == {FORWARD}
    assert steps(name, events_of(told), "cart recovery") == [1, 1, 1]


def test_s2_one_move_goes_back_and_the_funnel_from_first_to_last_does_not_break():
    name, told = story(2)

    assert [direction for _, direction in moves(name, told)].count(BACK) == 1
    assert steps(name, events_of(told), walk("page_view", "form_submitted", "order_placed", window="90d")) == [1, 1, 1]
    assert steps(name, events_of(told), "journey") == [1, 1, 1, 1, 0]


def test_s3_the_trial_lies_before_the_payment_and_both_are_told():
    name, told = story(3)

    assert steps(name, events_of(told), "trial to paid") == [1, 1, 1]
    assert moves(name, told) == [
        ("awareness", FORWARD), ("acquisition", FORWARD), ("adoption", FORWARD), ("advocacy", SKIP),
    ]  # fmt: skip


def test_s3_a_map_of_ones_own_puts_the_trial_into_the_purchase_and_the_payment_into_the_retention():
    placed = {"purchase": "trial_started", "retention": "subscription_started"}
    stages = [
        {"name": stage, "touchpoints": [{"name": event, "when": {"event": event}}]} for stage, event in placed.items()
    ]
    journey = Journey.model_validate({"stages": stages})
    owned = timeline("saas", events_of(story(3)[1])).select("customer_id", "source", "event_id", "event", "occurred_at")

    entries = stage_entries(build_timeline(owned, journey=journey), journey=journey).collect()

    assert entries["stage"].to_list() == ["purchase", "retention"]


def test_s4_the_six_stages_are_walked_in_order():
    name, told = story(4)

    assert [stage for stage, _ in moves(name, told)] == preset(name).stage_names
    assert steps(name, events_of(told), "journey") == [1] * 6


def test_s5_to_s7_go_only_forward_or_skip():
    for number in (5, 6, 7):
        assert BACK not in {direction for _, direction in moves(*story(number))}


def test_s6_the_ticket_is_part_of_the_use_not_a_step_back():
    assert [stage for stage, _ in moves(*story(6))] == ["awareness", "acquisition", "adoption", "advocacy"]


def test_s8_a_journey_may_begin_in_the_middle_and_loop():
    told = moves(*story(8))

    assert told[0] == ("initial consideration", SKIP)
    assert [direction for _, direction in told].count(BACK) == 1
    assert told[-1] == ("loyalty", FORWARD)


def test_s9_the_second_booking_is_a_repeat_and_the_flight_has_no_stage():
    name, told = story(9)

    assert steps(name, events_of(told), "second order") == [1, 1]
    assert moves(name, told)[-2:] == [("advocacy", FORWARD), ("retention", BACK)]


def test_s10_three_stages_end_with_the_decision():
    assert moves(*story(10)) == [("awareness", FORWARD), ("consideration", FORWARD), ("purchase", FORWARD)]


def test_s11_visits_over_weeks_are_one_customer_with_many_sessions():
    name, told = story(11)

    sessions = timeline(name, events_of(told)).collect()["session_id"]

    assert sessions.drop_nulls().n_unique() >= 9
    assert steps(name, events_of(told), walk("page_view", "store_visited", "order_placed", window="60d")) == [1, 1, 1]
    assert steps(name, events_of(told), walk("page_view", "order_placed", window="4d")) == [1, 0]


def test_s12_an_account_is_further_than_the_people_in_it():
    name, told = story(12)
    activation = {"steps": [{"event": "subscription_started"}, {"event": "seats_added"}, {"event": "feature_used"}]}

    by_account = Funnel.model_validate({"name": "f", "unit": "account", "window": "90d", **activation})
    by_person = Funnel.model_validate({"name": "f", "unit": "customer", "window": "90d", **activation})

    assert steps(name, events_of(told), by_account) == [1, 1, 1]
    assert steps(name, events_of(told), by_person) == [1, 1, 0]


def test_s13_several_people_walk_the_phases_of_one_account():
    name, told = story(13)
    shared = [{**event, "account_id": "acme", "who": f"p{number % 3}"} for number, event in enumerate(events_of(told))]

    account = next(item for item in preset(name).funnels if item.name == "journey")
    assert steps(name, shared, account)[:4] == [1, 1, 1, 1]
    assert steps(name, shared, account.model_copy(update={"unit": "customer"}))[3] == 0
    assert [stage for stage, _ in moves(name, told)] == preset(name).stage_names


# ---------------------------------------------------------------- narrow flows


def test_s14_each_page_of_the_checkout_loses_some():
    pages = [f"/checkout/{number}" for number in range(1, 7)] + ["/thank-you"]
    events = [
        page(path, who=f"v{visitor}", at=visitor + place / 1440)
        for visitor in range(8)
        for place, path in enumerate(pages[: 8 - visitor])
    ]
    flow = Funnel.model_validate(
        {"name": "f", "steps": [{"event": "page_view", "where": {"path": path}} for path in pages], "window": "1h"}
    )

    assert steps("ecommerce", events, flow) == [8, 7, 6, 5, 4, 3, 2]


def test_s15_the_clicks_of_a_pricing_page_are_groups_of_one_step():
    after = ["/features", "/customers", "/docs", "/vs/x", "/product"]
    events = [page("/pricing", who=f"v{number}", at=number) for number in range(20)] + [
        page(path, who=f"v{number}", at=number + 0.01) for number, path in enumerate(after)
    ]
    flow = Funnel.model_validate({"name": "f", "window": "1d", "steps": [
        {"event": "page_view", "where": {"path": "/pricing"}}, {"event": "page_view", "where": {"path": {"in": after}}}]})  # fmt: skip

    assert steps("saas", events, flow) == [20, 5]


def test_s16_thirty_of_a_hundred_leads_buy():
    events = [did("form_submitted", who=f"l{number}", at=0) for number in range(100)]
    events += [did("trial_started", who=f"l{number}", at=1) for number in range(60)]
    events += [did("subscription_started", who=f"l{number}", at=8) for number in range(30)]

    counts = steps("saas", events, "trial to paid")

    assert counts == [100, 60, 30]


def test_s17_a_basket_left_at_the_details_is_abandoned(connection: Connection):
    name, told = story(17)
    publish(connection, name, events_of(told))

    assert rows(connection, "SELECT status, is_final FROM mart.abandoned_carts") == [("abandoned", True)]
    assert steps(name, events_of(told), walk("add_to_cart", "checkout_started", "payment_entered")) == [1, 1, 0]


def test_s18_who_evaluates_and_does_not_buy_stops_after_use():
    name, told = story(18)

    assert steps(
        name, events_of(told), walk("trial_started", "feature_used", "subscription_started", window="30d")
    ) == [1, 1, 0]


def test_s19_mail_we_send_opens_no_session_and_the_answer_counts():
    name, told = story(19)

    events = timeline(name, events_of(told)).collect()

    assert events.filter(pl.col("event") == "email_sent")["session_id"].to_list() == [None, None]
    asked = walk("form_submitted", "email_opened", "email_clicked", "demo_requested")
    assert steps(name, events_of(told), asked) == [1, 1, 1, 1]


def test_s20_thirty_percent_leave_at_a_stage():
    events = [did("form_submitted", who=f"l{number}", at=0) for number in range(10)]
    events += [did("trial_started", who=f"l{number}", at=1) for number in range(7)]

    entered, stayed = steps("saas", events, walk("form_submitted", "trial_started"))

    assert (entered - stayed) / entered == 0.3


# ---------------------------------------------------------------- service, retention, churn


def test_s21_a_ticket_nobody_answers_misses_its_day_and_the_other_does_not(connection: Connection):
    name, told = story(21)
    publish(connection, name, events_of(told))

    found = rows(connection, "SELECT record_id, is_replied_in_24_hours FROM mart.service_contacts ORDER BY record_id")

    assert found == [("a", False), ("d", True)]


def test_s22_a_ticket_goes_from_question_to_answer():
    name, told = story(22)

    assert (
        steps(name, events_of(told), walk("ticket_opened", "ticket_escalated", "ticket_replied", "ticket_closed"))
        == [1] * 4
    )
    assert [stage for stage, _ in moves(name, told)] == ["opened", "triaged", "in progress", "resolved"]


def test_s23_a_subscription_renews_and_later_ends(connection: Connection):
    name, told = story(23)
    publish(connection, name, events_of(told))

    found = rows(connection, "SELECT renewals, status, cancel_reason FROM mart.subscriptions")

    assert found == [(1, "cancelled", "price")]


def test_s24_who_would_recommend_and_does_not_renew_is_told(connection: Connection):
    name, told = story(24)
    publish(connection, name, events_of(told))

    assert rows(connection, "SELECT customer_id, score, event FROM mart.promoters_who_left") == [
        ("ann", 10, "subscription_expired")
    ]


def test_s25_use_within_ninety_days_is_first_value_and_later_use_is_not():
    name, told = story(25)
    late = [did("subscription_started", at=0), did("feature_used", at=91)]

    assert steps(name, events_of(told), "first value") == [1, 1]
    assert steps(name, late, "first value") == [1, 0]


def test_s26_the_wait_between_order_and_delivery_is_kept():
    name, told = story(26)

    entries = stage_entries(timeline(name, events_of(told)), journey=preset(name)).collect()

    assert (entries["left_at"][0] - entries["entered_at"][0]).days == 120


# ---------------------------------------------------------------- edges


def test_s27_a_first_touch_twenty_years_ago_is_in_the_journey_and_in_no_window():
    name, told = story(27)

    assert [stage for stage, _ in moves(name, told)] == ["awareness", "consideration", "purchase"]
    assert steps(name, events_of(told), "journey") == [1, 0, 0, 0, 0]


def test_s28_the_same_customer_s_intent_shifts_by_stage():
    name, told = story(28)

    events = timeline(name, events_of(told)).collect()

    assert events["channel"][0] == "Organic Search"
    assert [stage for stage, _ in moves(name, told)] == ["awareness", "consideration", "purchase", "retention"]


def test_s29_a_journey_may_skip_its_first_stage():
    assert moves(*story(29))[0] == ("consideration", SKIP)


def test_s30_the_reason_of_a_lost_sale_is_counted(connection: Connection):
    name, told = story(30)
    publish(connection, name, events_of(told))

    assert rows(connection, "SELECT object, lost_reason, lost FROM mart.lost_reasons") == [("deal", "price", 1)]
    assert steps(name, events_of(told), "lead to deal") == [1, 1, 0]
