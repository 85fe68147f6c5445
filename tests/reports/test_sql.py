import json
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.warehouse import sql_text
from reports.page import Figure
from reports.render import sql
from reports.site import build_pages
from reports.view import View
from tests.reports.small_site import STEPS, facts, full_tables, journey
from transforms.contracts import MART_ATTRIBUTION, TABLES

FILES = Path(__file__).resolve().parents[2] / "sql" / "reports"


@cache
def figures() -> list[Figure]:
    done = ({"date": "2026-03-10", "name": "new page", "stage": "purchase"},)
    view = View(full_tables(), journey(changes=done), facts())
    return [
        block
        for page in build_pages(view)
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Figure)
    ]


def ask(connection: duckdb.DuckDBPyConnection, figure: Figure) -> pl.DataFrame:
    """Run what a reader would paste."""
    *variables, query = sql(figure.query).split(";\n")
    for variable in variables:
        connection.execute(variable)
    return connection.sql(query).pl()


TIMELINE = (
    # customer, minute, event, stage, touchpoint, channel, session, score
    ("ann", 0, "page_view", "awareness", "blog", "Email", "a1", None),
    ("ann", 1, "page_view", "awareness", "blog", "Direct", "a1", None),
    ("ann", 2, "page_view", None, None, "Direct", "a1", None),
    ("ann", 90, "order_placed", "purchase", "order", "Direct", "a2", None),
    ("ann", 95, "survey_answered", "purchase", "survey", None, None, "3"),
    ("ann", 99, "survey_answered", "purchase", "survey", None, None, "9"),
    ("bob", 0, "page_view", "awareness", "blog", "Email", "b1", None),
    ("bob", 1, "page_view", "awareness", "news", "Email", "b1", None),
    ("cat", 0, "order_placed", "purchase", "order", "Direct", "c1", None),
    ("cat", 60, "page_view", "awareness", "blog", "Direct", "c2", None),
)
CONVERTED = ("a2", "c1")


ATTEMPT = {
    "funnel": "checkout",
    "breakdown": "device",
    "value": "mobile",
    "is_first_of_day": True,
    "closes_at": datetime(2026, 3, 9, tzinfo=UTC),
    "step_times": [datetime(2026, 3, 1, 23, 30, tzinfo=UTC), datetime(2026, 3, 2, 5, tzinfo=UTC), None],
}


def timeline() -> dict[str, pl.DataFrame]:
    """core.events, core.sessions and core.stage_entries of three customers."""
    places = {"awareness": 1, "purchase": 2}
    events = [
        {
            "customer_id": customer,
            "event_number": number,
            "source": "web",
            "event_id": str(number),
            "event": event,
            "occurred_at": datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minute),
            "session_id": session,
            "stage": stage,
            "touchpoint": touchpoint,
            "channel": channel,
            "is_active": True,
            "is_counted": True,
            "received_at": datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minute + 2),
            "path": "/help/pans" if touchpoint == "blog" else None,
            "properties": json.dumps({"survey": "nps", "score": score}) if score else None,
        }
        for number, (customer, minute, event, stage, touchpoint, channel, session, score) in enumerate(
            TIMELINE, start=1
        )
    ]
    entries = [
        {key: event[key] for key in ("customer_id", "stage")}
        | {"stage_number": places[event["stage"]], "entered_at": event["occurred_at"]}
        | {"entry_number": event["event_number"], "direction": "forward", "is_first": True}
        for event in events
        if event["stage"]
    ]
    sessions = [
        {"session_id": session, "is_converted": session in CONVERTED}
        for session in sorted({event["session_id"] for event in events if event["session_id"]})
    ]
    told = {
        "core.customers": [
            {"customer_id": customer, "event_count": 3, "current_stage": "purchase", "is_lead": True}
            | {"first_seen_at": datetime(2026, 3, 1, tzinfo=UTC), "purchase_count": 0}
            for customer in ("ann", "bob", "cat")
        ],
        "core.customer_segments": [{"segment": "members", "customer_id": customer} for customer in ("ann", "cat")],
        "ops.settings": [{"name": "time_zone", "value": "Europe/Berlin"}],
        "core.events": events,
        "core.stage_entries": entries,
        "core.sessions": sessions,
    }
    paid = {"depth": 3, "step_times": [*ATTEMPT["step_times"][:2], datetime(2026, 3, 2, 6, tzinfo=UTC)]}
    attempts = [ATTEMPT | {"unit_id": "ann"} | paid, ATTEMPT | {"unit_id": "bob", "depth": 2}]
    told["mart.funnel_entrant_groups"] = attempts
    told["mart.funnel_drivers"] = [{"funnel": "checkout", "kind": "event", "driver": "signed_up", "q_value": 0.01}]
    told["mart.horizons"] = [{"source": "web", "horizon": datetime(2026, 3, 9, tzinfo=UTC), "is_in_journey": True}]
    told["raw.quarantine"] = [{"file_id": "f", "source": "web", "row": row, "reason": "bad_time"} for row in (1, 2)]
    return {name: pl.DataFrame(rows, schema=TABLES[name].schema) for name, rows in told.items()}


@pytest.fixture(scope="module")
def warehouse():
    connection = duckdb.connect()
    for name, table in (full_tables() | timeline() | {"mart.attribution": MART_ATTRIBUTION.empty()}).items():
        if " of " in name:
            continue
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
        connection.register("incoming", table.to_arrow())
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
    connection.execute(f"CREATE TABLE mart.segment_touchpoints AS {sql_text('core/segment_touchpoints.sql')}")
    yield connection
    connection.close()


def test_every_sql_file_stands_under_a_figure():
    shown = {figure.query.file for figure in figures()}

    assert {path.stem for path in FILES.glob("*.sql")} - {"failed_files"} == shown


def test_the_sql_of_a_funnel_gives_the_steps_of_its_figure(warehouse):
    steps = next(figure for figure in figures() if figure.slug == "steps")

    answer = ask(warehouse, steps)

    assert [f"{reached:,}" for reached in answer["reached"]] == [row[1].text for row in steps.table.rows]


@pytest.mark.parametrize("slug", sorted({figure.slug for figure in figures()}))
def test_the_sql_under_a_figure_runs_as_printed(warehouse, slug):
    figure = next(figure for figure in figures() if figure.slug == slug)

    answer = ask(warehouse, figure)

    assert answer.width > 1
    assert answer.height > 0 or slug == "credit"


def answer(warehouse: duckdb.DuckDBPyConnection, file: str, segment: str = "(everybody)") -> dict[tuple, dict]:
    warehouse.execute("SET VARIABLE segment = $segment", {"segment": segment})
    rows = warehouse.sql((FILES / f"{file}.sql").read_text()).pl().rows(named=True)
    return {(row["stage"], row.get("touchpoint") or row.get("event") or row.get("survey")): row for row in rows}


def test_going_on_is_entering_a_later_stage_after_the_contact(warehouse):
    contacts = answer(warehouse, "map_contacts")

    blog = contacts["awareness", "blog"]
    assert (blog["customers"], blog["of_customers"], blog["went_on"]) == (3, 3, 1)
    assert contacts["awareness", "news"]["went_on"] == 0
    assert contacts["purchase", "order"]["went_on"] == 0


def test_a_contact_loses_the_sessions_that_end_with_it_unconverted(warehouse):
    contacts = answer(warehouse, "map_contacts")

    assert [contacts["awareness", "blog"][key] for key in ("sessions", "lost_sessions", "lost_customers")] == [3, 2, 2]
    assert [contacts["awareness", "news"][key] for key in ("sessions", "lost_sessions", "lost_customers")] == [1, 1, 1]
    assert [contacts["purchase", "order"][key] for key in ("sessions", "lost_sessions", "lost_customers")] == [2, 0, 0]
    assert contacts["purchase", "survey"]["sessions"] == 0


def test_the_main_channel_has_most_events_and_the_first_name_of_equals(warehouse):
    contacts = answer(warehouse, "map_contacts")

    assert contacts["awareness", "blog"]["channel"] == "Direct"
    assert contacts["purchase", "survey"]["channel"] is None


def test_actions_are_counted_by_customer_and_event(warehouse):
    actions = answer(warehouse, "map_actions")

    assert {key: (row["customers"], row["events"]) for key, row in actions.items()} == {
        ("awareness", "page_view"): (3, 5),
        ("purchase", "order_placed"): (2, 2),
        ("purchase", "survey_answered"): (1, 2),
    }


def test_of_a_customers_answers_to_a_survey_the_last_one_counts(warehouse):
    scores = answer(warehouse, "map_surveys")

    assert [scores["purchase", "nps"][key] for key in ("answers", "nine_or_more", "six_or_less")] == [1, 1, 0]


def test_the_map_of_a_segment_counts_its_customers_alone(warehouse):
    contacts, actions, moves = (
        answer(warehouse, file, "members") for file in ("map_contacts", "map_actions", "map_surveys")
    )

    assert (contacts["awareness", "blog"]["customers"], contacts["awareness", "blog"]["of_customers"]) == (2, 2)
    assert ("awareness", "news") not in contacts
    assert actions["awareness", "page_view"]["customers"] == 2
    assert moves["purchase", "nps"]["answers"] == 1


def test_a_segment_reaches_stages_and_moves_between_them_by_its_customers_alone(warehouse):
    warehouse.execute("SET VARIABLE segment = 'members'")
    reach, moves = (warehouse.sql((FILES / f"map_{name}.sql").read_text()).pl() for name in ("reach", "moves"))

    assert reach.filter(stage="purchase").select("of_customers", "customers_now").row(0)[0] == 2
    assert moves.filter(from_stage="purchase", to_stage="(still there)").select("customers").item() == 1
    assert moves.filter(from_stage="purchase", to_stage="awareness").select("moves", "customers").row(0) == (1, 1)


def test_a_newcomer_enters_a_stage_within_seven_days_of_being_seen(warehouse):
    rows = warehouse.sql((FILES / "change_newcomers.sql").read_text()).pl()

    assert rows.rows() == [(date(2026, 3, 1), "awareness", 3, 3), (date(2026, 3, 1), "purchase", 3, 2)]


def test_a_group_and_everybody_are_counted_at_each_step_on_the_local_day_they_were_there(warehouse):
    warehouse.execute("BEGIN")
    warehouse.execute(
        "INSERT INTO mart.funnel_entrants BY NAME SELECT funnel, unit_id, is_first_of_day, closes_at, step_times FROM mart.funnel_entrant_groups"
    )
    rows = warehouse.sql((FILES / "group_days.sql").read_text()).pl()
    warehouse.execute("ROLLBACK")

    assert rows.select("breakdown", "value", "step_name", "next_name", "day", "came", "went_on").rows() == [
        (*who, *step)
        for who in (("device", "mobile"), (None, None))
        for step in (("look", "choose", date(2026, 3, 2), 2, 2), ("choose", "pay", date(2026, 3, 2), 2, 1))
    ]


def test_an_attempt_with_time_left_is_not_counted_for_its_group(warehouse):
    text = (FILES / "group_days.sql").read_text()

    rows = warehouse.sql(text.replace("steps.horizon", "TIMESTAMPTZ '2026-03-08 00:00:00+00'")).pl()

    assert rows.is_empty()


def test_the_list_of_entrants_has_each_counted_attempt_once_with_the_step_it_came_to(warehouse):
    figure = next(figure for figure in figures() if figure.slug == "entrants")
    mart = warehouse.sql("SELECT unit_id, depth FROM mart.funnel_entrants WHERE is_counted").pl()

    listed = ask(warehouse, figure)

    assert sorted(listed.select("unit_id", "steps_reached").rows()) == sorted(mart.rows())
    assert set(listed.select("steps_reached", "furthest_step").rows()) == {
        (number, step) for number, step in enumerate(STEPS, start=1) if number in set(mart["depth"])
    }
    assert figure.table.rows[-1][1].text == str(mart.filter(pl.col("depth") == len(STEPS)).height)


def test_entrants_and_no_other_download_list_single_customers(warehouse):
    listing = {
        figure.slug
        for figure in figures()
        if figure.rows is None and {"customer_id", "unit_id"} & set(ask(warehouse, figure).columns)
    }

    assert listing == {"entrants"}
    assert not [figure.slug for figure in figures() if figure.rows is not None and "customer_id" in figure.rows.columns]
