"""What product teams ask for, in SQL: each view of sql/mart by one rule a test, on rows written by hand."""

import json

import pytest

from pipelines.warehouse import Connection
from tests.test_sql import Row, customer, day, deal, event, put, rows
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
