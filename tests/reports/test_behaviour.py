import polars as pl
import pytest

from pipelines.warehouse import Connection, sql_text
from reports.page import Figure, Grid, Page
from reports.pages import data_quality, funnel, journey_map, overview
from reports.view import View
from tests.reports.small_site import facts, full_tables, journey
from tests.test_sql import connection as connection
from tests.test_sql import customer, day, event, put, rows, session
from tests.test_sql import warehouse as warehouse


def figure(module: object, slug: str, **answers: pl.DataFrame) -> Figure:
    pages: list[Page] = module.build(View(full_tables() | answers, journey(), facts()))  # type: ignore[attr-defined]
    blocks = (block for section in pages[0].sections for block in section.blocks)
    return next(block for block in blocks if isinstance(block, Figure) and block.slug == slug)


def test_what_goes_with_completing_is_told_with_both_shares():
    assert figure(funnel, "drivers").finding == (
        "With “signed_up” early on 50.0% complete later (20 of 40), without it 20.0% (12 of 60)"
    )


def test_where_nothing_stands_out_that_is_said():
    drivers = full_tables()["reports.funnel_drivers"].with_columns(stands_out=pl.lit(False))

    found = figure(funnel, "drivers", **{"reports.funnel_drivers": drivers})

    assert found.finding == "Nothing stands out among 2 things that customers did or were early on"
    assert found.chart is None


def test_what_they_did_instead_is_told_of_those_who_stopped_where_most_do():
    assert figure(funnel, "instead").finding == "Of those who stopped after “choose”, 62.5% did nothing more: 25 of 40"


def test_under_twenty_who_stopped_are_too_few():
    few = full_tables()["reports.funnel_instead"].with_columns(attempts=pl.lit(8), of_attempts=pl.lit(16))

    found = figure(funnel, "instead", **{"reports.funnel_instead": few.cast(dict(few.schema))})

    assert found.finding == "Too few stopped after “choose” to say what they did instead"


def test_data_quality_names_what_is_least_known_what_stopped_and_how_late_it_comes():
    assert figure(data_quality, "coverage").finding == (
        "Least is known of “device” at “choose” in “checkout”: 75.0% (90 of 120)"
    )
    assert figure(data_quality, "silences").finding == (
        "“page_view” all but stopped from 25 Jan to 26 January 2026: 2 events, where 60 are usual"
    )
    assert figure(data_quality, "lateness").finding == ("90.0% of the events of “web” come in within a day: 180 of 200")


def test_the_key_figure_that_moved_between_its_final_months_is_told():
    found = figure(overview, "kpi-trend")

    assert (
        found.finding
        == "Stage conversion of “purchase” fell from 40.0% in January to 20.0% in February 2026 (20 of 100)"
    )
    assert [cell.text for cell in found.table.rows[0]] == ["Lead conversion", "2026-02", "5.0%", "5 of 100", "so far"]


def test_months_that_are_not_final_are_not_compared():
    months = full_tables()["reports.kpi_months"].filter(pl.col("metric") == "lead_conversion")

    found = figure(overview, "kpi-trend", **{"reports.kpi_months": months})

    assert found.finding == "No key figure has two months yet that can be compared"


def test_the_months_of_a_key_figure_add_up_to_it(connection):
    put(connection, "mart.horizons", {"source": "web", "horizon": day(100), "is_in_journey": True})
    put(connection, "ops.settings", {"name": "stage_window_seconds", "value": str(30 * 86_400)})
    for metric in ("stage_conversion", "stage_reach", "bounce_rate", "visitor_conversion", "repeat_rate"):
        put(connection, "mart.kpis", {"stage": "learn", "metric": metric})
    for who, seen, bought, purchases in (("ann", 0, 10, 2), ("bob", 40, 80, 1), ("cai", 90, None, 0)):
        put(
            connection,
            "core.customers",
            customer(who, first_seen_at=day(seen), purchase_count=purchases)
            | {"first_purchase_at": day(bought) if bought else None},
        )
        stays = [("learn", 1, seen)] + ([("buy", 2, bought)] if bought else [])
        put(
            connection,
            "core.stage_entries",
            *(
                {"customer_id": who, "entry_number": n, "stage": stage, "stage_number": n, "entered_at": day(at)}
                for stage, n, at in stays
            ),
        )
        put(
            connection,
            "core.sessions",
            session(seen, who, day(seen)) | {"first_stage": "learn", "is_bounce": who == "ann"},
        )

    months = connection.sql(sql_text("reports/kpi_months.sql")).pl()

    sums = months.group_by("metric").agg(pl.col("numerator", "denominator").sum()).sort("metric").rows()
    assert sums == [
        ("bounce_rate", 1, 3),
        ("repeat_rate", 1, 2),
        ("stage_conversion", 1, 2),
        ("stage_reach", 3, 3),
        ("visitor_conversion", 2, 3),
    ]


def test_the_map_tells_what_customers_ask():
    assert figure(journey_map, "questions").finding == "Most customers searched for “pan”, in “awareness”: 7"


def test_the_map_shows_help_pages_and_searches_of_each_stage():
    (page, *_) = journey_map.build(View(full_tables(), journey(), facts()))
    grid = next(block for section in page.sections for block in section.blocks if isinstance(block, Grid))

    asked = next(row for row in grid.rows if row.label == "Questions")

    assert [[(item.text, item.note) for item in cell] for cell in asked.cells] == [
        [("/help/pans", "4 customers"), ("“pan”", "7 customers")],
        [("nobody was seen asking", "")],
    ]


@pytest.fixture
def stopped(connection: Connection) -> Connection:
    """Ann stopped after step 1 and read the blog; Bob stopped and did nothing within the window; Cai completed."""
    put(connection, "core.funnel_definitions", {"funnel": "f", "step_number": 1, "step_name": "see"})
    for who, status in (("ann", "dropped"), ("bob", "dropped"), ("cai", "converted")):
        put(
            connection,
            "mart.funnel_entrants",
            {"funnel": "f", "unit_id": who, "customer_id": who, "depth": 1, "is_first": True, "status": status}
            | {"entry_day": day(0).date(), "step_times": [day(0)], "closes_at": day(7)},
        )
    put(
        connection,
        "core.events",
        event("ann", 1, 0, touchpoint="shop"), event("ann", 2, 1, is_active=False, touchpoint="mail"), event("ann", 3, 2, touchpoint="blog"),
        event("ann", 4, 3, touchpoint="shop"), event("bob", 1, 0), event("bob", 2, 8), event("cai", 1, 1, touchpoint="blog"),
    )  # fmt: skip
    return connection


def test_instead_is_the_next_thing_of_ones_own_within_the_window(stopped):
    found = rows(stopped, sql_text("reports/funnel_instead.sql"))

    assert found == [("f", 1, "see", "(nothing more)", 1, 2), ("f", 1, "see", "blog", 1, 2)]


def test_a_question_that_fewer_than_three_ask_is_not_told(connection):
    for who in ("ann", "bob", "cai"):
        put(connection, "core.events", event(who, 1, 0, event="search", stage="learn", properties='{"query": " Pan "}'))
    put(connection, "core.events", event("ann", 2, 1, event="search", stage="learn", properties='{"query": "my name"}'))

    assert rows(connection, sql_text("reports/map_questions.sql")) == [("learn", "search", "pan", 3, 3)]
