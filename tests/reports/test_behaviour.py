import random

import polars as pl
import pytest

from pipelines.warehouse import Connection, insert, sql_text
from reports.page import Figure, Grid, Page
from reports.pages import data_quality, funnel, journey_map, overview
from reports.view import View
from tests.reports.small_site import facts, full_tables, journey
from tests.test_sql import connection as connection
from tests.test_sql import customer, day, event, put, rows, session
from tests.test_sql import warehouse as warehouse
from transforms.contracts import TABLES
from transforms.conversion import kpis, stage_conversion
from transforms.journey import Journey


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


STAGES = ("learn", "buy", "keep")
METRICS = ("stage_conversion", "stage_reach", "lead_conversion", "visitor_conversion", "bounce_rate", "repeat_rate")


def history(connection: Connection, chance: random.Random, *, window: str) -> Journey:
    """Customers, their stages and sessions over a hundred days, with the key figures of every stage as a night counts them."""
    figures = [{"stage": stage, "metric": metric} for stage in STAGES for metric in METRICS]
    plan = Journey.model_validate(
        {"stages": [{"name": name} for name in STAGES], "stage_window": window, "kpis": figures}
    )
    put(connection, "mart.horizons", {"source": "web", "horizon": day(100), "is_in_journey": True})
    if plan.stage_window:
        put(
            connection,
            "ops.settings",
            {"name": "stage_window_seconds", "value": str(round(plan.stage_window.total_seconds()))},
        )
    for number in range(40):
        who, seen, bought = f"c{number}", chance.uniform(0, 90), chance.choice((0, 0, 1, 2))
        walk = [(chance.randrange(3), seen + step * chance.uniform(0, 15)) for step in range(chance.randint(0, 4))]
        walk = sorted((stage, at) for stage, at in walk if at < 100) if chance.random() < 0.5 else walk
        put(
            connection,
            "core.customers",
            customer(
                who,
                first_seen_at=day(seen),
                purchase_count=bought,
                is_lead=chance.random() < 0.4,
                visitor_count=chance.randrange(2),
            )
            | {"first_purchase_at": day(seen) if bought else None, "event_count": chance.randrange(3)},
        )
        put(
            connection,
            "core.stage_entries",
            *(
                {
                    "customer_id": who,
                    "entry_number": n,
                    "stage": STAGES[stage],
                    "stage_number": stage + 1,
                    "entered_at": day(at),
                }
                for n, (stage, at) in enumerate(sorted(walk, key=lambda each: each[1]), start=1)
            ),
        )
        first = chance.choice((*STAGES, None))
        put(
            connection,
            "core.sessions",
            session(number, who, day(seen)) | {"first_stage": first, "is_bounce": chance.random() < 0.3},
        )
    tables = {
        name: connection.sql(f"FROM core.{name}").pl().lazy() for name in ("stage_entries", "customers", "sessions")
    }
    conversion = stage_conversion(tables["stage_entries"], journey=plan, horizon=day(100))
    found = kpis(
        journey=plan,
        conversion=conversion,
        entries=tables["stage_entries"],
        customers=tables["customers"],
        sessions=tables["sessions"],
    )
    insert(connection, TABLES["mart.stage_conversion"], conversion.collect())
    insert(connection, TABLES["mart.kpis"], found.collect())
    return plan


@pytest.mark.parametrize("window", ["30d", "none"])
@pytest.mark.parametrize("seed", range(4))
def test_the_months_of_every_key_figure_add_up_to_it(connection, seed, window):
    history(connection, random.Random(seed), window=window)

    months = connection.sql(sql_text("reports/kpi_months.sql")).pl()

    sums = {
        (stage, metric): (int(part), int(whole))
        for stage, metric, part, whole in months.group_by("stage", "metric")
        .agg(pl.col("numerator", "denominator").sum())
        .rows()
    }
    asked = rows(connection, "SELECT stage, metric, numerator, denominator FROM mart.kpis")
    assert {(stage, metric): (part, whole) for stage, metric, part, whole in asked if whole} == sums


def test_a_month_is_final_when_it_and_the_window_after_it_are_over(connection):
    history(connection, random.Random(1), window="30d")

    months = connection.sql(sql_text("reports/kpi_months.sql")).pl()

    final = {
        metric: sorted(
            {
                month.month
                for stage, month in months.filter(metric=metric, is_final=True).select("stage", "month").rows()
            }
        )
        for metric in METRICS
    }
    assert final == {metric: [] for metric in METRICS} | {"stage_conversion": [1, 2], "bounce_rate": [1, 2, 3]}


def test_sessions_are_no_sample_to_be_tested():
    months = (
        full_tables()["reports.kpi_months"]
        .filter(pl.col("metric") == "stage_conversion")
        .with_columns(metric=pl.lit("bounce_rate"))
    )

    found = figure(overview, "kpi-trend", **{"reports.kpi_months": months})

    assert found.finding == "No key figure has two months yet that can be compared"


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
