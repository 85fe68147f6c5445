import json
from typing import Any

import polars as pl
import pytest

from pipelines.warehouse import Connection, sql_text
from reports.page import Grid, Page
from reports.pages import support_map
from reports.view import View
from tests.reports.small_site import facts, full_tables, journey
from tests.test_sql import Row, day, event, put
from tests.test_sql import connection as connection
from tests.test_sql import warehouse as warehouse


def happened(ticket: str, who: str, number: int, name: str, at: float, **properties: Any) -> Row:
    return event(
        who, number, at, event=f"ticket_{name}", object="ticket", record_id=ticket, properties=json.dumps(properties)
    )


def asked(connection: Connection, file: str) -> list[dict[str, Any]]:
    return list(connection.sql(sql_text(f"reports/{file}.sql")).pl().iter_rows(named=True))


@pytest.fixture
def desk(connection: Connection) -> Connection:
    """Ann is answered after a day and helped after two; Bob is handed on, helped, and comes back; Cai waits."""
    put(
        connection,
        "mart.horizons",
        {"source": "web", "horizon": event("x", 1, 50)["occurred_at"], "is_in_journey": True},
    )
    put(
        connection,
        "core.events",
        happened("t1", "ann", 1, "opened", 0, origin="Email", category="delivery"),
        event("ann", 2, 0.5, touchpoint="help page"),
        event("ann", 3, 0.6, touchpoint="help page"),
        happened("t1", "ann", 4, "replied", 1),
        event("ann", 5, 1.5, touchpoint="cart"),
        happened("t1", "ann", 6, "closed", 2),
        event("ann", 7, 3, event="survey_answered", properties=json.dumps({"survey": "csat", "score": "2"})),
        event("ann", 8, 4, event="survey_answered", properties=json.dumps({"survey": "CSAT", "score": "5"})),
        event("ann", 9, 40, event="survey_answered", properties=json.dumps({"survey": "csat", "score": "1"})),
        happened("t2", "bob", 1, "opened", 0, origin="Email"),
        happened("t2", "bob", 2, "escalated", 1),
        happened("t2", "bob", 3, "closed", 4),
        happened("t2", "bob", 4, "reopened", 5),
        happened("t3", "cai", 1, "opened", 45, origin="Phone", category="delivery"),
    )
    return connection


def test_each_step_counts_the_tickets_that_came_to_it_of_those_that_could(desk):
    steps = [row for row in asked(desk, "ticket_steps") if row["split"] == "all"]

    assert [(row["step"], row["tickets"], row["of_tickets"], row["customers"]) for row in steps] == [
        ("opened", 3, 3, 3),
        ("first answer", 1, 3, 1),
        ("handed on", 1, 3, 1),
        ("resolved", 1, 3, 1),
        ("reopened", 1, 2, 1),
    ]
    assert [
        (row["step"], row["quarter_seconds"], row["median_seconds"]) for row in steps if row["quarter_seconds"]
    ] == [
        ("first answer", 86_400, None),
        ("resolved", 2 * 86_400, None),
    ]


def test_the_median_counts_tickets_that_never_come_to_the_step(connection):
    put(
        connection,
        "mart.horizons",
        {"source": "web", "horizon": event("x", 1, 50)["occurred_at"], "is_in_journey": True},
    )
    put(
        connection,
        "core.events",
        *(happened(f"t{number}", f"c{number}", 1, "opened", 0) for number in range(100)),
        *(happened(f"t{number}", f"c{number}", 2, "replied", 1) for number in range(25)),
        *(happened(f"t{number}", f"c{number}", 3, "closed", 2) for number in range(60)),
    )

    built = page(**{"reports.ticket_steps": pl.DataFrame(asked(connection, "ticket_steps"), infer_schema_length=None)})

    (figure,) = built.sections[0].blocks
    assert figure.finding == "Half have a solution within 2\u00a0days"


def test_a_ticket_opened_again_is_resolved_when_its_last_closing_stands(connection):
    put(
        connection,
        "mart.horizons",
        {"source": "web", "horizon": event("x", 1, 50)["occurred_at"], "is_in_journey": True},
    )
    put(
        connection,
        "core.events",
        *(happened("again", "ann", n, what, n) for n, what in enumerate(("opened", "closed", "reopened"), 1)),
        *(happened("done", "bob", n, what, n) for n, what in enumerate(("opened", "closed", "reopened", "closed"), 1)),
    )

    closed = dict(connection.sql("SELECT record_id, closed_at FROM mart.service_contacts").fetchall())

    assert (closed["again"], closed["done"].date()) == (None, event("x", 1, 4)["occurred_at"].date())


def test_a_help_desk_that_tells_no_hand_offs_is_not_asked_for_them(connection):
    put(
        connection,
        "mart.horizons",
        {"source": "web", "horizon": event("x", 1, 50)["occurred_at"], "is_in_journey": True},
    )
    put(connection, "core.events", happened("t1", "ann", 1, "opened", 0), happened("t1", "ann", 2, "closed", 1))

    steps = {row["step"]: row["of_tickets"] for row in asked(connection, "ticket_steps") if row["split"] == "all"}

    assert steps["handed on"] == 0


def test_a_help_desk_that_tells_no_answers_is_not_asked_for_them(connection):
    put(
        connection,
        "mart.horizons",
        {"source": "web", "horizon": event("x", 1, 50)["occurred_at"], "is_in_journey": True},
    )
    put(connection, "core.events", happened("t1", "ann", 1, "opened", 0), happened("t1", "ann", 2, "closed", 1))

    steps = {row["step"]: row["of_tickets"] for row in asked(connection, "ticket_steps") if row["split"] == "all"}

    assert (steps["first answer"], steps["resolved"]) == (0, 1)


def test_a_help_desk_that_resolves_and_never_closes_resolves(connection):
    put(connection, "mart.horizons", {"source": "web", "horizon": day(50), "is_in_journey": True})
    put(connection, "core.events", happened("t1", "ann", 1, "opened", 0), happened("t1", "ann", 2, "resolved", 1))

    steps = {row["step"]: row["tickets"] for row in asked(connection, "ticket_steps") if row["split"] == "all"}

    assert steps["resolved"] == 1


def test_steps_are_split_by_channel_and_by_category(desk):
    opened = {
        (row["split"], row["value"]): row["tickets"] for row in asked(desk, "ticket_steps") if row["step"] == "opened"
    }

    assert opened == {
        ("all", "(all)"): 3,
        ("category", "(not known)"): 1,
        ("category", "delivery"): 2,
        ("channel", "email"): 2,
        ("channel", "phone"): 1,
    }


def test_a_ticket_went_one_way_and_the_last_answer_within_a_week_counts(desk):
    columns = ("course", "tickets", "resolved", "hand_offs", "answers", "satisfied")
    ways = [tuple(row[column] for column in columns) for row in asked(desk, "ticket_ways")]

    assert ways == [("straight through", 2, 1, 0, 1, 1), ("reopened", 1, 0, 1, 0, 0)]


def test_what_customers_do_while_they_wait_counts_once_a_ticket(desk):
    found = [
        (row["wait"], row["contact"], row["tickets"], row["of_tickets"]) for row in asked(desk, "ticket_meanwhile")
    ]

    assert found == [("until it is resolved", "cart", 1, 1), ("until the first answer", "help page", 1, 1)]


def page(**answers: pl.DataFrame) -> Page:
    (built,) = support_map.build(View(full_tables() | answers, journey(), facts()))
    return built


def test_the_page_says_how_many_are_resolved_and_how_soon():
    built = page()

    assert built.heading == "27 of 30 tickets are resolved, half of all within 1\u00a0day 6\u00a0h"
    grid = next(block for section in built.sections for block in section.blocks if isinstance(block, Grid))
    assert [column.text for column in grid.columns] == ["Opened", "First answer", "Handed on", "Resolved", "Reopened"]
    times = next(row for row in grid.rows if row.label == "Time")
    assert [[item.text for item in cell] for cell in times.cells] == [
        [],
        ["half within 5\u00a0h"],
        [],
        ["half within 1\u00a0day 6\u00a0h"],
        [],
    ]


def test_few_tickets_say_no_share_and_no_time():
    few = full_tables()["reports.ticket_steps"].with_columns(pl.col("tickets", "of_tickets").clip(upper_bound=19))

    assert page(**{"reports.ticket_steps": few}).heading == "19 tickets so far: too few to say how they go"


def test_without_tickets_there_is_no_page():
    none = {"reports.ticket_steps": full_tables()["reports.ticket_steps"].clear()}

    assert support_map.build(View(full_tables() | none, journey(), facts())) == []
