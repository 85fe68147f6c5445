"""What product teams ask for, in SQL: each view of sql/mart by one rule a test, on rows written by hand."""

import json
import random
from collections import Counter
from datetime import timedelta

import pytest

from pipelines.warehouse import Connection
from tests.test_sql import Row, count_contacts, customer, day, deal, event, put, rows, session, spent
from tests.test_sql import connection as connection
from tests.test_sql import warehouse as warehouse


def horizon(connection: Connection, at: float, *, source: str = "web", in_journey: bool = True) -> None:
    put(connection, "mart.horizons", {"source": source, "horizon": day(at), "is_in_journey": in_journey})


def settings(connection: Connection, **values: str) -> None:
    put(connection, "ops.settings", *({"name": name, "value": value} for name, value in values.items()))


# ---------------------------------------------------------------- stages


def stays(name: str, *stages: tuple[str, float]) -> list[Row]:
    """core.stage_entries of a customer who enters stages on days, and is still in the last."""
    return [
        {
            "customer_id": name,
            "entry_number": number,
            "stage": stage,
            "entered_at": day(at),
            "left_at": day(stages[number][1]) if number < len(stages) else None,
            "from_stage": stages[number - 2][0] if number > 1 else None,
        }
        for number, (stage, at) in enumerate(stages, start=1)
    ]


def test_who_stays_longer_than_nine_in_ten_of_those_who_left_is_stuck(connection):
    horizon(connection, 100)
    for n in range(1, 11):
        put(connection, "core.stage_entries", *stays(f"c{n}", ("try", 0), ("buy", n)))
    put(connection, "core.stage_entries", *stays("long", ("try", 90.9)), *stays("short", ("try", 91)))
    put(connection, "core.customers", customer("long", account_id="acme"))

    found = rows(
        connection,
        "SELECT customer_id, account_id, days_in_stage, usual_days, stays_that_ended FROM mart.stuck_customers",
    )

    assert found == [("long", "acme", 9.1, 9.0, 10)]


@pytest.mark.parametrize("size", [1, 2, 9, 10, 11, 19, 20, 21, 29, 30, 70, 99, 100, 101])
def test_the_usual_stay_is_the_nearest_rank(connection, size):
    horizon(connection, 1000)
    for n in range(1, size + 1):
        put(connection, "core.stage_entries", *stays(f"c{n}", ("try", 0), ("buy", n)))
    put(connection, "core.stage_entries", *stays("long", ("try", 0)))

    found = rows(connection, "SELECT usual_days FROM mart.stuck_customers")

    assert found == [(-(-9 * size // 10),)]


def test_the_horizon_of_the_journey_is_that_of_its_slowest_source(connection):
    horizon(connection, 10)
    horizon(connection, 5, source="crm")
    horizon(connection, 1, source="spend", in_journey=False)
    put(connection, "core.stage_entries", *stays("ann", ("try", 0), ("buy", 2)), *stays("bob", ("try", 1)))

    assert rows(connection, "SELECT customer_id, days_in_stage FROM mart.stuck_customers") == [("bob", 4)]


def test_whoever_enters_a_stage_goes_on_or_leaves_by_the_exit(connection):
    put(
        connection,
        "core.stage_entries",
        *stays("ann", ("see", 0), ("try", 1), ("see", 2)),
        *stays("bob", ("see", 0)),
        *stays("cai", ("try", 0)),
    )

    found = rows(connection, "SELECT move, from_stage, to_stage, customers, from_customers FROM mart.stage_flow")

    assert found == [
        (1, "(start)", "see", 2, 3),
        (1, "(start)", "try", 1, 3),
        (2, "see", "(exit)", 1, 2),
        (2, "see", "try", 1, 2),
        (2, "try", "(exit)", 1, 1),
        (3, "try", "see", 1, 1),
        (4, "see", "(exit)", 1, 1),
    ]


def test_a_ninth_move_leaves_by_other(connection):
    walk = [("see" if n % 2 else "try", n) for n in range(1, 13)]
    put(connection, "core.stage_entries", *stays("ann", *walk))

    found = rows(connection, "SELECT move, from_stage, to_stage FROM mart.stage_flow WHERE move >= 8")

    assert found == [(8, "see", "try"), (9, "try", "(other)")]


# ---------------------------------------------------------------- lost and gone


def test_losses_are_counted_by_reason_and_currency(connection):
    put(
        connection,
        "mart.sales_outcomes",
        deal("a", "lost", 1, lost_reason="price", value_minor=100, currency="EUR"),
        deal("b", "lost", 1, lost_reason="price", value_minor=200, currency="EUR"),
        deal("c", "lost", 1, lost_reason="price", value_minor=400, currency="USD"),
        deal("d", "lost", 1, lost_reason="(not given)"),
        deal("e", "won", 1, value_minor=800, currency="EUR"),
    )

    found = rows(connection, "SELECT lost_reason, currency, lost, all_lost, share, value_minor FROM mart.lost_reasons")

    assert found == [
        ("price", "EUR", 2, 4, 0.5, 300),
        ("(not given)", None, 1, 4, 0.25, None),
        ("price", "USD", 1, 4, 0.25, 400),
    ]


def purchaser(connection: Connection, name: str, *days: float, **columns: object) -> None:
    """A customer who bought on the first of these days and was active on all of them."""
    put(connection, "core.customers", customer(name, first_purchase_at=day(days[0]), purchase_count=1))
    put(connection, "core.events", *(event(name, n, at, **columns) for n, at in enumerate(days, start=1)))


def test_churn_is_of_those_active_at_the_start_of_a_month_who_are_quiet_at_its_end(connection):
    # Day 0 is January 1st at noon, so day 31 is in February; quiet is 30 days without activity.
    settings(connection, time_zone="UTC", stage_window_seconds=str(30 * 86_400))
    horizon(connection, 95)
    purchaser(connection, "gone in february", 0, 20)
    purchaser(connection, "stays", 0, 28, 40, 65, 88)
    purchaser(connection, "back in march", 0, 2, 70)
    purchaser(connection, "new in february", 35)

    found = rows(connection, "SELECT month::VARCHAR, active_at_start, churned, retained, quiet_days FROM mart.churn")

    assert found == [("2026-02-01", 3, 2, 1, 30), ("2026-03-01", 2, 1, 1, 30)]


def test_a_customer_whose_quiet_days_end_with_the_month_is_churned(connection):
    settings(connection, time_zone="UTC", stage_window_seconds=str(28 * 86_400))
    horizon(connection, 60)
    purchaser(connection, "to the second", 0, 20, 30.5)

    assert rows(connection, "SELECT active_at_start, churned FROM mart.churn") == [(1, 1)]


def test_a_month_that_is_not_over_at_the_horizon_has_no_churn(connection):
    settings(connection, time_zone="UTC", stage_window_seconds="86400")
    horizon(connection, 58.4)
    purchaser(connection, "ann", 0, 30)

    assert rows(connection, "FROM mart.churn") == []


def test_what_the_quiet_saw_last_is_held_against_what_those_who_stay_saw_last(connection):
    settings(connection, stage_window_seconds=str(10 * 86_400))
    horizon(connection, 30)
    purchaser(connection, "gone", 0, 1)
    purchaser(connection, "stays", 0, 25)
    connection.execute("UPDATE core.events SET stage = 'buy', touchpoint = 'order' WHERE event_number = 1")
    connection.execute("UPDATE core.events SET stage = 'use', touchpoint = customer_id || ' at' WHERE event_number = 2")
    put(connection, "core.events", event("gone", 3, 29, is_active=False, stage="use", touchpoint="mail we sent"))

    found = rows(
        connection,
        "SELECT touchpoint, churned_last, retained_last, churned_had, retained_had, churned, retained, last_difference, "
        "churn_rate FROM mart.churn_points",
    )

    assert found == [
        ("gone at", 1, 0, 1, 0, 1, 1, 1.0, 1.0),
        ("order", 0, 0, 1, 1, 1, 1, 0.0, 0.5),
        ("stays at", 0, 1, 0, 1, 1, 1, -1.0, 0.0),
    ]


# ---------------------------------------------------------------- service


def said(**properties: object) -> str:
    return json.dumps(properties)


def ticket(
    connection: Connection, record: str, *states: tuple[str, float], who: str = "ann", **properties: object
) -> None:
    """The dated states of a ticket."""
    number = len(rows(connection, "FROM core.events"))
    put(
        connection,
        "core.events",
        *(
            event(
                who, number + n, at, event=f"ticket_{state}", object="ticket", record_id=record, source="crm",
                properties=said(**properties) if properties else None,
            )
            for n, (state, at) in enumerate(states, start=1)
        ),
    )  # fmt: skip


def chat(connection: Connection, record: str, *states: tuple[str, float]) -> None:
    number = len(rows(connection, "FROM core.events"))
    put(
        connection,
        "core.events",
        *(
            event("ann", number + n, at, event=f"chat_{state}", object="conversation", record_id=record, source="chat")
            for n, (state, at) in enumerate(states, start=1)
        ),
    )


def judged(connection: Connection, column: str) -> dict[str, object]:
    return dict(rows(connection, f"SELECT record_id, {column} FROM mart.service_contacts"))


def test_a_reply_within_a_day_is_in_time_and_young_tickets_are_not_judged(connection):
    horizon(connection, 10)
    ticket(connection, "in time", ("opened", 0), ("replied", 1))
    ticket(connection, "late", ("opened", 0), ("replied", 1.01))
    ticket(connection, "never", ("opened", 9))
    ticket(connection, "young", ("opened", 9.01), ("replied", 9.02))

    found = judged(connection, "is_replied_in_24_hours")

    assert found == {"in time": True, "late": False, "never": False, "young": None}


def test_a_source_that_never_tells_of_replies_is_not_judged_by_them(connection):
    horizon(connection, 10)
    ticket(connection, "t", ("opened", 0), ("closed", 1))

    assert rows(connection, "SELECT contacts, reply_due, response_rate FROM mart.support") == [(1, 0, None)]


def test_first_contact_resolution_asks_for_one_message_no_reopening_and_no_new_ticket_within_a_week(connection):
    horizon(connection, 100)
    ticket(connection, "once", ("opened", 0), ("closed", 1), who="a", customer_messages="1")
    ticket(connection, "twice", ("opened", 0), ("closed", 1), who="b", customer_messages="2")
    ticket(
        connection, "again", ("opened", 0), ("closed", 1), ("reopened", 2), ("closed", 3), who="c", inbound_messages=1
    )
    ticket(connection, "flagged", ("opened", 0), ("closed", 1), who="d", customer_messages="1", reopened="true")
    ticket(connection, "back", ("opened", 0), ("closed", 1), who="e", one_touch="true")
    ticket(connection, "new", ("opened", 8), ("closed", 9), who="e", one_touch="true")
    ticket(connection, "later", ("opened", 16.01), ("closed", 17), who="e", one_touch="true")
    ticket(connection, "not told", ("opened", 0), ("closed", 1), who="f")
    ticket(connection, "young", ("opened", 92), ("closed", 93.01), who="g", customer_messages="1")

    found = judged(connection, "is_solved_first_time")

    assert found == {
        "once": True, "twice": False, "again": False, "flagged": False, "back": False, "new": True, "later": True,
        "not told": None, "young": None,
    }  # fmt: skip


def test_a_chat_that_nobody_answers_within_a_day_is_abandoned(connection):
    horizon(connection, 10)
    chat(connection, "quick", ("started", 0), ("answered", 0.001))
    chat(connection, "slow", ("started", 0), ("answered", 0.01))
    chat(connection, "left", ("started", 0))

    found = rows(
        connection,
        "SELECT channel, contacts, helped_chats, helped_after_5_minutes, median_help_delay_seconds_of_helped, "
        "abandonment_due, abandoned FROM mart.support",
    )

    assert found == [("chat", 3, 2, 1, 86, 3, 1)]


def test_giving_a_ticket_to_somebody_else_is_a_hand_off_and_the_first_assignment_is_not(connection):
    horizon(connection, 10)
    ticket(connection, "t", ("opened", 0), ("assigned", 1), ("assigned", 2), ("escalated", 3))

    assert judged(connection, "hand_offs") == {"t": 2}


def test_support_is_counted_by_week_and_channel_whatever_its_case(connection):
    settings(connection, time_zone="UTC")
    horizon(connection, 30)
    ticket(connection, "a", ("opened", 0), origin="Email")
    ticket(connection, "b", ("opened", 1), origin="EMAIL")
    ticket(connection, "c", ("opened", 7), origin="Phone")

    found = rows(connection, "SELECT week::VARCHAR, channel, tickets, customers, still_open FROM mart.support")

    assert found == [("2025-12-29", "email", 2, 1, 2), ("2026-01-05", "phone", 1, 1, 1)]


# ---------------------------------------------------------------- voice of the customer


def answer(who: str, number: int, at: float, survey: str, score: object) -> Row:
    return event(
        who, number, at, event="survey_answered", touchpoint="survey", properties=said(survey=survey, score=score)
    )


def test_nps_is_promoters_less_detractors_of_the_last_answers(connection):
    put(
        connection,
        "core.events",
        answer("changed", 1, 0, "nps", "2"),
        answer("changed", 2, 1, "nps", "9"),
        answer("happy", 1, 0, "nps", 10),
        answer("so so", 1, 0, "nps", "7.0"),
        answer("cross", 1, 0, "nps", "6"),
        answer("in words", 1, 0, "nps", "fine"),
    )

    found = rows(
        connection,
        "SELECT touchpoint_before, answers, promoters, passives, detractors, nps FROM mart.voice_of_customer",
    )

    assert found == [("(all)", 4, 2, 1, 1, 25.0), ("(none)", 4, 2, 1, 1, 25.0)]


def test_satisfaction_is_the_share_of_four_and_five_and_effort_a_mean(connection):
    put(
        connection,
        "core.events",
        *(answer(f"c{score}", 1, 0, "csat", score) for score in (3, 4, 5)),
        *(answer(f"c{score}", 2, 1, "CES", score) for score in (3, 4)),
    )

    found = rows(
        connection,
        "SELECT survey, answers, mean_score, satisfied, satisfaction_rate, nps FROM mart.voice_of_customer "
        "WHERE touchpoint_before = '(all)'",
    )

    assert found == [("ces", 2, 3.5, None, None, None), ("csat", 3, 4.0, 2, 2 / 3, None)]


def test_an_answer_belongs_to_the_contact_before_it(connection):
    put(
        connection,
        "core.events",
        event("ann", 1, 0, touchpoint="order"),
        event("ann", 2, 1, touchpoint="support ticket"),
        event("ann", 3, 1.5),
        answer("ann", 4, 2, "nps", 9),
        event("ann", 5, 3, touchpoint="order"),
    )

    found = rows(connection, "SELECT touchpoint_before, answers FROM mart.voice_of_customer")

    assert found == [("(all)", 1), ("support ticket", 1)]


def test_reviews_tell_their_ratings_and_sentiments(connection):
    put(
        connection,
        "core.events",
        event("ann", 1, 0, touchpoint="order"),
        *(
            event("ann", n, n, event="review_posted", properties=said(**told))
            for n, told in enumerate(
                ({"rating": "5", "sentiment": "1"}, {"rating": 2, "sentiment": "-0.4"}, {"sentiment": "0"}), 2
            )
        ),
        event("bob", 1, 0, event="review_posted"),
    )

    found = rows(
        connection,
        "SELECT touchpoint_before, posts, customers, rated, mean_rating, low_ratings, with_sentiment, positive, neutral, "
        "negative FROM mart.reviews",
    )

    assert found == [
        ("(all)", 4, 2, 2, 3.5, 1, 3, 1, 1, 1),
        ("(none)", 1, 1, 0, None, 0, 0, 0, 0, 0),
        ("order", 3, 1, 2, 3.5, 1, 3, 1, 1, 1),
    ]


def test_promoters_who_left_said_yes_last_and_did_not_come_back(connection):
    def membership(who: str, number: int, name: str) -> Row:
        return event(who, number, number, event=f"subscription_{name}", properties=said(plan="plus"))

    put(
        connection,
        "core.events",
        answer("left", 1, 0, "nps", 9), membership("left", 2, "cancelled"),
        answer("came back", 1, 0, "nps", 9), membership("came back", 2, "cancelled"), membership("came back", 3, "started"),
        answer("cross", 1, 0, "nps", 9), answer("cross", 2, 1, "nps", 3), membership("cross", 3, "expired"),
        membership("before", 1, "expired"), answer("before", 2, 2, "nps", 10),
    )  # fmt: skip

    found = rows(connection, "SELECT customer_id, score, event, plan FROM mart.promoters_who_left")

    assert found == [("left", 9.0, "subscription_cancelled", "plus")]


# ---------------------------------------------------------------- carts and subscriptions


def cart_events(who: str, *steps: tuple[str, float]) -> list[Row]:
    """What a customer did with carts: add, order, sent or clicked, and when."""
    names = {"add": "add_to_cart", "order": "order_placed", "sent": "email_sent", "clicked": "email_clicked"}
    return [
        event(
            who, number, at, event=names[step], is_conversion=step == "order", value_minor=100 if step == "order" else None,
            properties=said(campaign="cart_reminder") if step in ("sent", "clicked") else None,
        )
        for number, (step, at) in enumerate(steps, start=1)
    ]  # fmt: skip


def test_a_cart_is_ordered_recovered_abandoned_or_open(connection):
    horizon(connection, 30)
    put(
        connection,
        "core.events",
        *cart_events("ordered", ("add", 0), ("add", 0.5), ("order", 1.5)),
        *cart_events("recovered", ("add", 0), ("sent", 1), ("clicked", 2), ("order", 7)),
        *cart_events("too late", ("add", 0), ("order", 7.1)),
        *cart_events("left", ("add", 0), ("sent", 8)),
        *cart_events("young", ("add", 29.5)),
        *cart_events("fresh", ("add", 25)),
    )

    found = rows(
        connection,
        "SELECT customer_id, additions, status, is_final, value_minor, reminded_at IS NOT NULL, clicked_at IS NOT NULL "
        "FROM mart.abandoned_carts ORDER BY customer_id",
    )

    assert found == [
        ("fresh", 1, "abandoned", False, None, False, False),
        ("left", 1, "abandoned", True, None, False, False),
        ("ordered", 2, "ordered", True, 100, False, False),
        ("recovered", 1, "recovered", True, 100, True, True),
        ("too late", 1, "abandoned", True, None, False, False),
        ("young", 1, "open", False, None, False, False),
    ]


def test_a_cart_ends_with_its_order_and_after_seven_days_without_a_product(connection):
    horizon(connection, 60)
    put(connection, "core.events", *cart_events("ann", ("add", 0), ("order", 1), ("add", 2), ("add", 9), ("add", 16.1)))

    found = rows(connection, "SELECT cart_number, additions, status FROM mart.abandoned_carts ORDER BY cart_number")

    assert found == [(1, 1, "ordered"), (2, 2, "abandoned"), (3, 1, "abandoned")]


def member(who: str, *states: tuple[str, float], record: str | None = None, **properties: object) -> list[Row]:
    return [
        event(
            who, number, at, event=name if "_" in name else f"subscription_{name}", object="subscription",
            record_id=record or who, is_active=False, properties=said(**properties),
        )
        for number, (name, at) in enumerate(states, start=1)
    ]  # fmt: skip


def test_a_subscription_stands_as_its_last_state_says(connection):
    horizon(connection, 100)
    put(
        connection,
        "core.events",
        *member("trial", ("trial_started", 0)),
        *member("active", ("trial_started", 0), ("started", 14), ("renewed", 44), ("renewed", 74), ("upgraded", 80)),
        *member("left", ("started", 0), ("cancelled", 20), cancel_reason="price", plan="plus"),
        *member("back", ("started", 0), ("cancelled", 20), ("resumed", 30)),
        *member("over", ("started", 0), ("expired", 30)),
        *member("paused", ("started", 0), ("paused", 30)),
        *member("later", ("started", 0), ("cancelled", 101)),
    )

    found = rows(
        connection,
        "SELECT subscription_id, status, renewals, upgrades, ended_at, cancel_reason FROM mart.subscriptions",
    )

    assert found == [
        ("active", "active", 2, 1, None, None),
        ("back", "active", 0, 0, None, None),
        ("later", "active", 0, 0, None, None),
        ("left", "cancelled", 0, 0, day(20), "price"),
        ("over", "expired", 0, 0, day(30), None),
        ("paused", "paused", 0, 0, None, None),
        ("trial", "trial", 0, 0, None, None),
    ]


def test_what_puts_a_subscription_at_risk_is_named(connection):
    horizon(connection, 100)
    put(
        connection,
        "core.events",
        *member("calm", ("started", 0)), event("calm", 2, 71),
        *member("quiet", ("started", 0)), event("quiet", 2, 69),
        *member("ends", ("started", 0), expires_at=day(120).isoformat()), event("ends", 2, 99),
        *member("far", ("started", 0), expires_at=day(131).isoformat()), event("far", 2, 99),
        *member("told", ("started", 0), ("expiring", 90)), event("told", 3, 99),
        *member("renewed", ("started", 0), ("expiring", 90), ("renewed", 95)), event("renewed", 4, 99),
        *member("smaller", ("started", 0), ("downgraded", 50)), event("smaller", 3, 99),
        *member("cross", ("started", 0)), answer("cross", 2, 99, "nps", 6),
        *member("asks", ("started", 0)), event("asks", 2, 99),
        *member("gone", ("started", 0), ("cancelled", 5)),
    )  # fmt: skip
    ticket(connection, "t", ("opened", 99), who="asks")

    found = rows(connection, "SELECT subscription_id, is_expiring, risks FROM mart.subscriptions")

    assert dict((name, (expiring, risks)) for name, expiring, risks in found) == {
        "calm": (False, ""),
        "quiet": (False, "quiet"),
        "ends": (True, "expiring"),
        "far": (False, ""),
        "told": (True, "expiring"),
        "renewed": (False, ""),
        "smaller": (False, "downgraded"),
        "cross": (False, "detractor"),
        "asks": (False, "open ticket"),
        "gone": (False, ""),
    }


def test_renewals_are_held_against_the_subscriptions_that_ended(connection):
    settings(connection, time_zone="UTC")
    put(
        connection,
        "core.events",
        *member("a", ("started", 0), ("renewed", 31)),
        *member("b", ("renewed", 32), ("renewed", 33), ("upgraded", 34)),
        *member("c", ("cancelled", 35), ("expired", 40)),
        *member("d", ("renewed", 36), ("cancelled", 40)),
    )

    found = rows(
        connection,
        "SELECT month::VARCHAR, started, renewed, upgraded, cancelled, expired, decided, renewal_rate FROM mart.renewals",
    )

    assert found == [("2026-01-01", 1, 0, 0, 0, 0, 0, None), ("2026-02-01", 0, 3, 1, 2, 0, 4, 0.5)]


# ---------------------------------------------------------------- value, lifecycle, acquisition


def test_purchase_frequency_is_orders_by_purchasers(connection):
    purchases = {"a": 0, "b": 1, "c": 1, "d": 3, "e": 12, "f": 15}
    put(connection, "core.customers", *(customer(name, purchase_count=count) for name, count in purchases.items()))

    found = rows(
        connection,
        "SELECT orders, purchasers, all_purchasers, all_orders, orders_per_purchaser FROM mart.purchase_frequency",
    )

    assert found == [(1, 2, 5, 32, 6.4), (3, 1, 5, 32, 6.4), (10, 2, 5, 32, 6.4)]


def test_customer_value_is_revenue_less_returns_by_purchaser_segment_and_currency(connection):
    settings(connection, currency="EUR")
    put(
        connection,
        "core.events",
        event("ann", 1, 0, event="order_placed", is_conversion=True, value_minor=1000, currency="EUR"),
        event("ann", 2, 1, event="order_placed", is_conversion=True, value_minor=500),
        event("ann", 3, 2, event="order_returned", value_minor=-200, currency="EUR"),
        event("ann", 4, 3, event="order_placed", is_conversion=True, value_minor=70, currency="USD"),
        event("bob", 1, 0, event="order_placed", is_conversion=True, value_minor=100, currency="EUR"),
        event("eve", 1, 0, event="order_returned", value_minor=-5, currency="EUR"),
    )
    put(connection, "core.customer_segments", {"segment": "fans", "customer_id": "ann"})

    found = rows(
        connection,
        "SELECT segment, currency, purchasers, orders, orders_per_purchaser, revenue_minor, value_per_purchaser_minor "
        "FROM mart.customer_value",
    )

    assert found == [
        ("(all)", "EUR", 2, 3, 1.5, 1400, 700.0),
        ("(all)", "USD", 1, 1, 1.0, 70, 70.0),
        ("fans", "EUR", 1, 2, 2.0, 1300, 1300.0),
        ("fans", "USD", 1, 1, 1.0, 70, 70.0),
    ]


def test_a_customer_is_new_returning_resurrected_or_dormant_in_a_week(connection):
    # Day 0 is a Thursday; its week begins on 2025-12-29, day 4 is the Monday after.
    settings(connection, time_zone="UTC")
    horizon(connection, 26)
    put(
        connection,
        "core.events",
        *(event("steady", n, at) for n, at in enumerate((0, 1, 5, 12, 19), start=1)),
        *(event("away", n, at) for n, at in enumerate((0, 19), start=1)),
        event("late", 1, 12),
        event("mailed", 1, 12, is_active=False),
    )

    found = rows(
        connection,
        "SELECT week::VARCHAR, active_customers, new_customers, returning_customers, resurrected_customers, "
        "dormant_customers FROM mart.lifecycle",
    )

    assert found == [
        ("2025-12-29", 2, 2, 0, 0, 0),
        ("2026-01-05", 1, 0, 1, 0, 1),
        ("2026-01-12", 2, 1, 1, 0, 0),
        ("2026-01-19", 2, 0, 1, 1, 1),
    ]


def test_acquisition_is_of_the_first_touch_and_costs_what_was_spent_on_its_source(connection):
    def touch(who: str, number: int, source: str | None, channel: str) -> Row:
        medium = "cpc" if source else None
        return {
            "customer_id": who,
            "touch_number": number,
            "channel": channel,
            "utm_source": source,
            "utm_medium": medium,
        }

    put(
        connection,
        "core.touches",
        touch("ann", 1, "Google", "Paid Search"), touch("ann", 2, None, "Direct"), touch("bob", 1, "google", "Paid Search"),
        touch("eve", 1, None, "Direct"),
    )  # fmt: skip
    put(
        connection,
        "core.customers",
        customer("ann", purchase_count=2),
        customer("bob"),
        customer("eve", purchase_count=1),
    )
    put(connection, "raw.ad_spend", spent(0, "Brand", 500), spent(1, "Brand", 700))

    found = rows(
        connection,
        "SELECT source, medium, channels, customers, purchasers, currency, cost_minor, cost_per_customer_minor, "
        "cost_per_purchaser_minor FROM mart.acquisition",
    )

    assert found == [
        ("google", "cpc", "Paid Search", 2, 1, "EUR", 1200, 600.0, 1200.0),
        ("(not known)", "(not known)", "Direct", 1, 1, None, None, None, None),
    ]


def test_a_referral_tells_whom_it_brought(connection):
    put(connection, "core.identity_map", {"namespace": "user_id", "value": "u2", "customer_id": "bob"})
    put(
        connection,
        "core.customers",
        customer("ann", purchase_count=1),
        customer("bob", purchase_count=3, first_purchase_at=day(5)),
    )
    put(
        connection,
        "core.events",
        event("ann", 1, 0, event="referral_made", properties=said(way="link", accepted="true", referred_id="u2")),
        event("ann", 2, 1, event="referral_made"),
    )

    found = rows(
        connection,
        "SELECT way, is_accepted, referrer_purchases, referred_customer_id, referred_first_purchase_at, referred_purchases "
        "FROM mart.referrals",
    )

    assert found == [("link", True, 1, "bob", day(5), 3), (None, None, 1, None, None, None)]


def test_an_account_counts_its_people_and_the_days_to_its_first_conversion(connection):
    put(
        connection,
        "core.customers",
        customer("ann", account_id="acme", first_seen_at=day(0), last_seen_at=day(3)),
        customer(
            "bob",
            account_id="acme",
            first_seen_at=day(2),
            last_seen_at=day(50),
            first_purchase_at=day(40.5),
            purchase_count=2,
        ),
        customer("cai", account_id="acme", first_seen_at=day(45), last_seen_at=day(60)),
        customer("dan", account_id="beta", first_seen_at=day(1), last_seen_at=day(1)),
        customer("eve"),
    )
    put(
        connection,
        "mart.sales_outcomes",
        deal("d1", "won", 3, account_id="acme"),
        deal("d2", "open", account_id="acme"),
    )

    found = rows(
        connection,
        "SELECT account_id, people, people_before_first_conversion, purchasers, conversions, cycle_days, deals, won_deals, "
        "open_deals FROM mart.accounts",
    )

    assert found == [("acme", 3, 2, 1, 2, 40.5, 2, 1, 1), ("beta", 1, None, 0, 0, None, 0, 0, 0)]


def test_the_use_of_a_feature_is_held_against_the_weeks_before(connection):
    settings(connection, time_zone="UTC")
    put(connection, "core.customers", customer("ann", account_id="acme"))
    uses = [0, 1, 2, 5, 19]
    put(
        connection,
        "core.events",
        *(
            event("ann", n, at, event="feature_used", properties=said(feature="export"))
            for n, at in enumerate(uses, start=1)
        ),
        event("bob", 1, 5, event="login", account_id="beta"),
    )

    found = rows(
        connection,
        "SELECT week::VARCHAR, account_id, feature, uses, users, uses_before, mean_uses_before FROM mart.feature_use",
    )

    assert found == [
        ("2025-12-29", "acme", "export", 3, 1, None, None),
        ("2026-01-05", "acme", "export", 1, 1, 3, 3.0),
        ("2026-01-05", "beta", "login", 1, 1, None, None),
        ("2026-01-19", "acme", "export", 1, 1, None, 1.333333),
    ]


# ---------------------------------------------------------------- friction


def test_friction_is_exits_errors_and_tickets_by_the_customers_they_affect(connection):
    def seen(who: str, number: int, touchpoint: str | None, name: str = "page_view", at: float = 0) -> Row:
        return event(
            who,
            number,
            at + number / 1000,
            event=name,
            stage="buy" if touchpoint else None,
            touchpoint=touchpoint,
            session_id=who,
        )

    put(
        connection,
        "core.events",
        seen("leaves", 1, "product"), seen("leaves", 2, "cart"),
        seen("buys", 1, "product"), seen("buys", 2, "cart"),
        seen("fails", 1, "product"), seen("fails", 2, "cart"), seen("fails", 3, None, "checkout_error"), seen("fails", 4, "product"),
        seen("asks", 1, "product"), seen("asks", 2, "cart"),
    )  # fmt: skip
    put(connection, "core.events", event("asks", 3, 0.9, event="ticket_opened"))
    put(
        connection,
        "core.sessions",
        *(
            {**session(0, who, day(0)), "session_id": who, "is_converted": who in ("buys", "asks")}
            for who in ("leaves", "buys", "fails", "asks")
        ),
    )
    count_contacts(connection)

    found = rows(
        connection,
        "SELECT rank, touchpoint, customers, affected, sessions, exits, errors, converted_sessions, customers_with_ticket "
        "FROM mart.friction",
    )

    assert found == [(1, "cart", 4, 3, 4, 1, 1, 2, 1), (2, "product", 4, 2, 4, 1, 0, 2, 1)]


def test_contacts_of_a_segment_are_those_of_its_customers(connection):
    for who, channel in (("ann", "Email"), ("bob", "Direct"), ("cai", "Direct")):
        put(
            connection, "core.events", event(who, 1, 0, stage="buy", touchpoint="cart", session_id=who, channel=channel)
        )
        put(connection, "core.sessions", {**session(0, who, day(0)), "session_id": who, "is_converted": False})
    put(connection, "core.customer_segments", {"segment": "members", "customer_id": "ann"})
    count_contacts(connection)

    found = rows(
        connection,
        "SELECT segment, customers, of_customers, channel, lost_customers FROM mart.segment_touchpoints ORDER BY segment",
    )

    assert found == [("(everybody)", 3, 3, "Direct", 3), ("members", 1, 1, "Email", 1)]


# ---------------------------------------------------------------- the same numbers by counting on foot

CONTACTS = {"blog": ("learn", None), "cart": ("buy", "fill"), "pay": ("buy", None), "help": ("keep", None)}
STAGES = ("learn", "buy", "keep")


def walk(name: str, chance: random.Random) -> list[Row]:
    """Events of one customer in up to three sessions and outside of them, some unmapped, some errors, some tickets."""
    kinds = (*CONTACTS, None, "payment_failed", "ticket_opened")
    events = []
    for number in range(1, chance.randint(2, 9)):
        kind = chance.choice(kinds)
        stage, phase = CONTACTS.get(kind, (None, None))
        visit = f"{name}{number // 3}" if chance.random() < 0.8 else None
        at = number * chance.choice((0.001, 0.4))
        events.append(
            event(name, number, at, event="page_view" if kind in (*CONTACTS, None) else kind, stage=stage, phase=phase, session_id=visit,
                  touchpoint=kind if kind in CONTACTS else None, channel=chance.choice(("Email", "Direct", None)))
        )  # fmt: skip
    return events


def counted_on_foot(
    events: list[Row], converted: set[str], entries: list[Row], who: set[str]
) -> dict[str, tuple[int, ...]]:
    """Of each contact: events, customers, went_on, sessions, converted, exits, lost sessions and customers, failed, tickets, affected."""
    found = {}
    for touchpoint, (stage, _) in CONTACTS.items():
        mapped = [row for row in events if row["touchpoint"] and row["customer_id"] in who]
        here = [row for row in mapped if row["touchpoint"] == touchpoint]
        visits = {row["session_id"] for row in here} - {None}
        last = {
            visit: max((row for row in mapped if row["session_id"] == visit), key=lambda row: row["event_number"])
            for visit in visits
        }
        exits = {visit for visit in visits if last[visit]["touchpoint"] == touchpoint}
        lost = exits - converted
        failed, asked = set(), set()
        for row in here:
            later = [
                other
                for other in events
                if other["customer_id"] == row["customer_id"] and other["event_number"] > row["event_number"]
            ]
            inside = [other for other in later if other["session_id"] == row["session_id"] is not None]
            until = next((other["event_number"] for other in inside if other["touchpoint"]), 10**9)
            if any(other["event"] == "payment_failed" and other["event_number"] < until for other in inside):
                failed.add(row["session_id"])
            if any(
                other["event"] == "ticket_opened" and other["occurred_at"] - row["occurred_at"] <= timedelta(hours=24)
                for other in later
            ):
                asked.add(row["customer_id"])
        owner = {row["session_id"]: row["customer_id"] for row in here}
        onward = {
            row["customer_id"]
            for row in here
            if any(
                entry["customer_id"] == row["customer_id"]
                and entry["stage_number"] > 1 + STAGES.index(stage)
                and entry["entered_at"] >= row["occurred_at"]
                for entry in entries
            )
        }
        people, losers = {row["customer_id"] for row in here}, {owner[visit] for visit in lost}
        if here:
            found[touchpoint] = (
                len(here), len(people), len(onward), len(visits), len(visits & converted), len(exits), len(lost), len(losers), len(failed),
                len(asked), len(losers | {owner[visit] for visit in failed} | asked),
            )  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(12))
def test_contacts_are_what_counting_them_one_by_one_gives(connection, seed):
    chance = random.Random(seed)
    events = [row for n in range(12) for row in walk(f"c{n}", chance)]
    visits = sorted({(row["session_id"], row["customer_id"]) for row in events if row["session_id"]})
    converted = {visit for visit, _ in visits if chance.random() < 0.3}
    entries = [
        {
            "customer_id": row["customer_id"],
            "entry_number": row["event_number"],
            "stage": row["stage"],
            "entered_at": row["occurred_at"],
        }
        | {"stage_number": 1 + STAGES.index(row["stage"])}
        for row in events
        if row["stage"]
    ]
    members = {f"c{n}" for n in range(12) if chance.random() < 0.5}
    put(connection, "core.events", *events)
    put(
        connection,
        "core.sessions",
        *(
            {**session(0, who, day(0)), "session_id": visit, "is_converted": visit in converted}
            for visit, who in visits
        ),
    )
    put(connection, "core.stage_entries", *entries)
    put(connection, "core.customer_segments", *({"segment": "members", "customer_id": who} for who in sorted(members)))
    count_contacts(connection)

    found = rows(
        connection,
        "SELECT segment, touchpoint, events, customers, went_on, sessions, converted_sessions, exits, lost_sessions, lost_customers, "
        "failed_sessions, customers_with_ticket, affected FROM mart.segment_touchpoints",
    )

    everybody = {f"c{n}" for n in range(12)}
    for segment, who in (("(everybody)", everybody), ("members", members)):
        told = {touchpoint: tuple(counts) for name, touchpoint, *counts in found if name == segment}
        assert told == counted_on_foot(events, converted, entries, who), segment


@pytest.mark.parametrize("seed", range(5))
def test_the_lifecycle_is_what_counting_customers_week_by_week_gives(connection, seed):
    chance = random.Random(seed)
    walks = {f"c{n}": sorted(chance.choices(range(4, 74), k=chance.randint(1, 8))) for n in range(30)}
    settings(connection, time_zone="UTC")
    horizon(connection, 74)
    put(connection, "core.events", *(event(who, n, at) for who, days in walks.items() for n, at in enumerate(days, 1)))

    found = rows(
        connection,
        "SELECT week, new_customers, returning_customers, resurrected_customers, dormant_customers FROM mart.lifecycle",
    )

    counted: Counter[tuple[object, str]] = Counter()
    for days in walks.values():
        weeks = {day(at).date() - timedelta(days=day(at).weekday()) for at in days}
        for week in weeks:
            after_a_break = "returning" if week - timedelta(days=7) in weeks else "resurrected"
            counted[week, "new" if week == min(weeks) else after_a_break] += 1
            if week + timedelta(days=7) not in weeks:
                counted[week + timedelta(days=7), "dormant"] += 1
    kinds = ("new", "returning", "resurrected", "dormant")
    over = sorted({week for week, _ in counted if week + timedelta(days=7) <= day(74).date()})
    assert found == [(week, *(counted[week, kind] for kind in kinds)) for week in over]


def carts_on_foot(steps: list[tuple[str, float]], until: float) -> list[tuple[int, str]]:
    """Additions and status of each cart, step by step."""
    carts: list[list[tuple[int, float]]] = []
    is_open = False
    for number, (step, at) in enumerate(steps, start=1):
        if step == "order":
            is_open = False
        elif is_open and at <= carts[-1][-1][1] + 7:
            carts[-1].append((number, at))
        else:
            carts.append([(number, at)])
            is_open = True
    told = []
    for cart in carts:
        last, filled = cart[-1]
        order = next((at for number, (step, at) in enumerate(steps, 1) if step == "order" and number > last), None)
        waited = None if order is None else order - filled
        left = "open" if filled > until - 1 else "abandoned"
        status = left if waited is None or waited > 7 else "recovered" if waited > 1 else "ordered"
        told.append((len(cart), status))
    return told


@pytest.mark.parametrize("seed", range(5))
def test_carts_are_what_following_each_customer_gives(connection, seed):
    chance = random.Random(seed)
    walks = {
        f"c{n:02}": [
            (chance.choice(("add", "add", "order")), at / 2)
            for at in sorted(chance.choices(range(120), k=chance.randint(1, 12)))
        ]
        for n in range(25)
    }
    horizon(connection, 60)
    put(connection, "core.events", *(row for who, steps in walks.items() for row in cart_events(who, *steps)))

    found = rows(
        connection, "SELECT customer_id, additions, status FROM mart.abandoned_carts ORDER BY customer_id, cart_number"
    )

    assert found == [(who, *cart) for who, steps in walks.items() for cart in carts_on_foot(steps, 60)]
