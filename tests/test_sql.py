"""The SQL of the product, run on small tables: every macro, view, check and example, and the rules that matter one by one."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.warehouse import SCHEMAS, Connection, create, create_macros_and_views, insert, sql_files, view_comments
from transforms.audiences import YES
from transforms.contracts import TABLES
from transforms.funnels import funnel_answer, funnel_definitions, funnel_entrant_groups, funnel_entrants
from transforms.journey import Funnel, Journey
from transforms.sessions import summarise_sessions
from transforms.statistics import exported, wilson

ROOT = Path(__file__).resolve().parents[1]
DAY_0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
VIEWS = sql_files("mart")
CHECKS = sql_files("checks")
EXAMPLES = sql_files("examples")

Row = dict[str, Any]


def day(number: float) -> datetime:
    return DAY_0 + timedelta(days=number)


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Connection]:
    """All tables, macros and views, without rows."""
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        for schema in SCHEMAS:
            opened.execute(f"CREATE SCHEMA {schema}")
        for table in TABLES.values():
            create(opened, table)
        create_macros_and_views(opened)
        yield opened


@pytest.fixture
def connection(warehouse: Connection) -> Iterator[Connection]:
    """The empty warehouse; what a test does to it is taken back."""
    warehouse.execute("BEGIN TRANSACTION")
    yield warehouse
    warehouse.execute("ROLLBACK")


def put(connection: Connection, name: str, *rows: Row) -> None:
    """Add rows to a table; columns that are not named are null."""
    table = TABLES[name]
    given = {column for row in rows for column in row}
    schema = {column: dtype for column, dtype in table.schema.items() if column in given}
    insert(connection, table, table.conform(pl.LazyFrame(list(rows), schema=schema)).collect())


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.sql(query).fetchall()


def count_contacts(connection: Connection) -> None:
    """Fill mart.segment_touchpoints from the events; whoever has one is a customer."""
    strangers = rows(
        connection, "SELECT DISTINCT customer_id FROM core.events ANTI JOIN core.customers USING (customer_id)"
    )
    put(connection, "core.customers", *(customer(name) for (name,) in sorted(strangers)))
    insert(
        connection,
        TABLES["mart.segment_touchpoints"],
        connection.sql((ROOT / "sql" / "core" / "segment_touchpoints.sql").read_text()).pl(),
    )


def check(connection: Connection, name: str) -> list[tuple[Any, ...]]:
    """The offending rows that a check finds."""
    return rows(connection, (ROOT / "sql" / "checks" / f"{name}.sql").read_text())


# ---------------------------------------------------------------- small tables


def define(connection: Connection, *, optional: tuple[int, ...] = (), steps: int = 3, **settings: Any) -> None:
    """A funnel 'buy' of some steps, window 14 days, horizon on day 30."""
    common = {"funnel": "buy", "unit": "customer", "step_order": "ordered", "attempt": "best", "horizon": day(30)}
    common |= {"window_seconds": 14 * 86_400, **settings}
    put(
        connection,
        "core.funnel_definitions",
        *(
            {**common, "step_number": n, "step_name": f"step {n}", "is_optional": n in optional}
            for n in range(1, steps + 1)
        ),
    )


def attempt(unit: str, entered: float, *times: float | None, status: str = "dropped", **flags: Any) -> Row:
    """One counted attempt; `times` are the days of the steps after the first, None for a skipped one."""
    steps = [entered, *times]
    return {
        "funnel": "buy",
        "unit_id": unit,
        "customer_id": unit,
        "entered_at": day(entered),
        "entry_day": day(entered).date(),
        "entry_source": "web",
        "entry_event_id": f"{unit}@{entered}",
        "step_times": [None if at is None else day(at) for at in steps],
        "depth": max(n for n, at in enumerate(steps, start=1) if at is not None),
        "status": status,
        "closes_at": day(entered + 14),
        **dict.fromkeys(("is_first", "is_best", "is_first_of_day", "is_best_of_day", "is_counted"), True),
        **flags,
    }


def session(number: int, customer: str, started: datetime, **columns: Any) -> Row:
    common = {"session_id": f"s{number}", "customer_id": customer, "session_number": 1, "started_at": started}
    return {**common, "ended_at": started, "event_count": 1, "is_bounce": True, "is_converted": False, **columns}


def event(customer: str, number: int, at: float, **columns: Any) -> Row:
    return {
        "customer_id": customer,
        "event_number": number,
        "source": "web",
        "event_id": f"{customer}{number}",
        "event": "page_view",
        "occurred_at": day(at),
        "is_active": True,
        "is_counted": True,
        "is_conversion": False,
        "is_bot": False,
        "is_internal": False,
        **columns,
    }


def customer(name: str, **columns: Any) -> Row:
    return {"customer_id": name, "event_count": 1, "is_lead": False, "visitor_count": 1, "purchase_count": 0, **columns}


def identifier(namespace: str, value: str, customer_id: str | None, *, status: str = "joined") -> Row:
    return {"namespace": namespace, "value": value, "customer_id": customer_id, "status": status}


def blocked(file: str, namespace: str, count: int, value_class: str = "placeholder word") -> Row:
    return {"file_id": file, "namespace": namespace, "value_class": value_class, "rows": count}


def edge(browser: str, user: str, *, kind: str = "login", status: str = "applied", number: float = 0) -> Row:
    return {"edge_id": f"{browser}-{user}-{kind}", "kind": kind, "from_namespace": "anonymous_id", "from_value": browser,
            "to_namespace": "user_id", "to_value": user, "status": status, "occurred_at": day(number)}  # fmt: skip


TICKET = {"object": "ticket", "record_id": "t1", "properties": '{"origin":"Email","customer_messages":"1"}'}
MEMBER = {"object": "subscription", "record_id": "m1", "properties": '{"plan":"basic"}'}
SERVED: tuple[tuple[str, Row], ...] = (
    ("subscription_started", MEMBER),
    ("add_to_cart", {}),
    ("email_sent", {"properties": '{"campaign":"abandoned_cart"}'}),
    ("feature_used", {"properties": '{"feature":"export"}', "account_id": "acme"}),
    ("ticket_opened", TICKET),
    ("ticket_replied", TICKET),
    ("ticket_closed", TICKET),
    ("survey_answered", {"properties": '{"survey":"nps","score":"9"}'}),
    ("review_posted", {"properties": '{"rating":"4","sentiment":"0.5"}'}),
    ("referral_made", {"properties": '{"way":"link"}'}),
    ("subscription_cancelled", MEMBER),
)


def deal(record: str, outcome: str, ended: float | None = None, **columns: Any) -> Row:
    """A row of mart.sales_outcomes that began on day 0."""
    ended_at = None if ended is None else day(ended)
    common = {"object": "deal", "source": "crm", "record_id": record, "customer_id": "ann", "started_at": day(0)}
    return {**common, "ended_at": ended_at, "outcome": outcome, "days": ended or 60.0, **columns}


def path(kind: str, place: int, steps: str, journeys: int, converted: int, total: int) -> Row:
    """A row of mart.journey_paths."""
    return {
        "kind": kind, "place": place, "path": steps, "steps": steps.split(" > "), "step_count": len(steps.split(" > ")),
        "journeys": journeys, "converted_journeys": converted, "all_journeys": total, "is_assumed": True,
    }  # fmt: skip


def fill(connection: Connection) -> None:
    """A small, sound warehouse: Ann buys on her second visit, Bob looks around, and both visits were paid for."""
    put(connection, "raw.ad_spend", spent(0, "Brand", 500))
    for name, value in (("time_zone", "Europe/Berlin"), ("currency", "EUR")):
        put(connection, "ops.settings", {"name": name, "value": value})
    put(
        connection,
        "core.customers",
        customer(
            "ann", is_lead=True, first_purchase_at=day(2), purchase_count=1, current_stage="purchase", event_count=2
        ),
        customer("bob", current_stage="awareness"),
    )
    put(
        connection,
        "core.identity_map",
        identifier("user_id", "u1", "ann"),
        identifier("user_id", "u2", "bob"),
        identifier("anonymous_id", "b9", None, status="shared"),
    )
    put(connection, "raw.files", {"file_id": "f9", "source": "web", "path": "web/f9.csv", "landed_at": day(0)})
    put(connection, "raw.blocked_values", blocked("f9", "user_id", 2))
    put(connection, "core.identity_edges", edge("b9", "u1", status="capped"), edge("b9", "u2", status="capped"))
    put(
        connection,
        "core.events",
        event("ann", 1, 0, session_id="s1", stage="awareness", touchpoint="blog", channel="Email"),
        event(
            "ann", 2, 2, session_id="s2", stage="purchase", touchpoint="order", channel="Direct", event="order_placed",
            is_conversion=True, value_minor=1999, currency="EUR",
        ),
        event("bob", 1, 1, session_id="s3", stage="awareness", touchpoint="blog", channel="Email"),
    )  # fmt: skip
    put(
        connection,
        "core.sessions",
        session(1, "ann", day(0), channel="Email", entry_path="/blog"),
        session(
            2, "ann", day(2), channel="Direct", session_number=2, is_converted=True, revenue_minor=1999, currency="EUR"
        ),
        session(3, "bob", day(1), channel="Email", entry_path="/blog"),
    )
    put(
        connection,
        "core.stage_entries",
        {"customer_id": "ann", "entry_number": 1, "stage": "awareness", "stage_number": 1, "entered_at": day(0),
         "left_at": day(2), "direction": "forward", "is_first": True},
        {"customer_id": "ann", "entry_number": 2, "stage": "purchase", "stage_number": 2, "entered_at": day(2),
         "from_stage": "awareness", "direction": "forward", "is_first": True},
        {"customer_id": "bob", "entry_number": 1, "stage": "awareness", "stage_number": 1, "entered_at": day(1),
         "direction": "forward", "is_first": True},
    )  # fmt: skip
    define(connection)
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, 1, 2, status="converted"),
        attempt("bob", 1, status="dropped"),
    )
    put(
        connection,
        "mart.attribution",
        {"customer_id": "ann", "conversion_source": "web", "conversion_event_id": "ann2", "converted_at": day(2),
         "value_minor": 1999, "currency": "EUR", "model": "first", "touch_number": 1, "channel": "Email",
         "credit_ppm": 1_000_000},
    )  # fmt: skip
    put(connection, "mart.horizons", {"source": "web", "horizon": day(60), "is_in_journey": True})
    put(connection, "mart.sales_outcomes", deal("d1", "lost", 4, lost_reason="price"), deal("d2", "open"))
    put(
        connection,
        "mart.adoption",
        {"stage": "retention", "touchpoint": "login", "purchasers": 2, "reached": 1, "matured_purchasers": 1,
         "matured_reached": 1},
    )  # fmt: skip
    put(
        connection,
        "mart.competing_outcomes",
        {"object": "deal", "outcome": "lost", "day": 4, "records": 2, "happened": 1, "open": 1, "share": 0.5},
    )
    put(
        connection,
        "mart.attribution_markov",
        {"conversion": "(all)", "channel": "Email", "journeys": 2, "converted_journeys": 1, "all_journeys": 2,
         "all_conversions": 1, "removal_effect": 1.0, "credit": 1.0, "conversions": 1.0},
    )  # fmt: skip
    put(
        connection,
        "mart.journey_paths",
        path("stage", 1, "awareness", 1, 0, 2),
        path("stage", 2, "awareness > purchase", 1, 1, 2),
    )
    put(
        connection,
        "ops.balances",
        {"file_id": "f", "source": "web", "path": "web/a.csv", "rows_in": 4, "loaded": 3, "duplicate": 1,
         "conflict": 0, "superseded": 0, "quarantined": 0, "suppressed": 0, "blank": 0},
    )  # fmt: skip


def fill_all(connection: Connection) -> None:
    """The same with Cai, whom the business served in every way that a view asks for."""
    fill(connection)
    put(connection, "core.customers", customer("cai", account_id="acme", first_seen_at=day(0), last_seen_at=day(12)))
    put(
        connection,
        "core.events",
        *(
            event("cai", number, number, event=name, is_active=False, stage="retention", touchpoint=name, **columns)
            for number, (name, columns) in enumerate(SERVED, start=1)
        ),
    )
    count_contacts(connection)


# ---------------------------------------------------------------- everything runs


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: path.stem)
def test_a_view_runs_and_says_what_each_of_its_columns_is(connection, path):
    fill_all(connection)

    sentence, columns = view_comments(path.read_text())

    found = connection.sql(f"FROM mart.{path.stem}").pl()
    assert path.read_text().startswith(f"-- mart.{path.stem}: ")
    assert list(columns) == found.columns
    assert sentence
    assert found.height > 0 or path.stem in ("unmapped_events", "funnel_breakdown", "stuck_customers")


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: path.stem)
def test_a_view_of_an_empty_warehouse_is_empty(connection, path):
    assert rows(connection, f"FROM mart.{path.stem}") == []


@pytest.mark.parametrize("path", CHECKS, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_check_finds_nothing_in_a_sound_warehouse(connection, path):
    fill_all(connection)

    assert rows(connection, path.read_text()) == []


@pytest.mark.parametrize("path", CHECKS, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_check_says_what_it_finds_and_lies_under_a_known_table(path):
    schema, table = path.parts[-3:-1]

    assert path.read_text().startswith(("-- Finds ", "-- Warns "))
    assert f"{schema}.{table}" in TABLES or (ROOT / "sql" / schema / f"{table}.sql").exists()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_answers_its_question(connection, path):
    fill_all(connection)

    connection.sql(path.read_text()).fetchall()

    assert path.read_text().splitlines()[0].rstrip(")").endswith(("?", ".", "list."))


# ---------------------------------------------------------------- macros


def test_a_rate_of_nothing_is_null(connection):
    assert rows(connection, "SELECT rate(1, 4), rate(1, 0)") == [(0.25, None)]


def test_the_low_end_of_nobody_is_never_a_negative_zero(connection):
    found = rows(connection, "SELECT DISTINCT wilson_low(0 * size, size)::VARCHAR FROM range(1, 1000) AS sizes (size)")

    assert found == [("0.0",)]


@pytest.mark.parametrize(("reached", "entered"), [(3, 10), (0, 20), (20, 20), (300, 1000), (1, 0)])
def test_wilson_in_sql_is_wilson_in_polars(connection, reached, entered):
    low, high = wilson(pl.lit(reached), pl.lit(entered))

    found = rows(connection, f"SELECT wilson_low({reached}, {entered}), wilson_high({reached}, {entered})")

    assert found == pl.select(low=exported(low), high=exported(high)).rows()


def test_a_yes_in_sql_is_a_yes_of_the_audiences(connection):
    words = [*YES, "no", "", "denied", "yesterday"]

    found = [rows(connection, f"SELECT says_yes(' {word.upper()} ')")[0][0] for word in words]

    assert found == [word in YES for word in words]
    assert rows(connection, "SELECT says_yes(NULL)") == [(False,)]


def test_events_count_as_consented_from_the_yes_to_the_event_that_takes_it_back(connection):
    said = [None, "granted", None, "denied", None, "yes"]
    put(
        connection,
        "core.events",
        *(
            {"customer_id": "ann", "event_number": number, "properties": json.dumps({"consent": word} if word else {})}
            for number, word in enumerate(said, start=1)
        ),
        {"customer_id": "bob", "event_number": 1},
    )

    found = rows(connection, "SELECT customer_id, event_number FROM consented_events('consent')")

    assert found == [("ann", 2), ("ann", 3), ("ann", 6)]


def test_units_that_are_each_a_customer_count_in_full(connection):
    assert rows(connection, "SELECT effective_size(3, 10, 10, 3, 3, 10)") == [(10,)]


def test_repeats_of_a_customer_are_worth_what_a_ratio_estimator_says(connection):
    per_customer = [(2, 4), (0, 4), (1, 1), (3, 3)]
    p = 6 / 12
    variance = 4 / 3 * sum((y - p * x) ** 2 for y, x in per_customer) / 12**2
    yy, xy, xx = (
        sum(f(y, x) for y, x in per_customer) for f in (lambda y, x: y * y, lambda y, x: x * y, lambda y, x: x * x)
    )

    found = rows(connection, f"SELECT effective_size(6, 12, 4, {yy}, {xy}, {xx})")[0][0]

    assert found == pytest.approx(p * (1 - p) / variance)


def test_when_everybody_always_converts_customers_are_what_counts(connection):
    assert rows(connection, "SELECT effective_size(12, 12, 4, 40, 40, 40)") == [(4,)]


def funnel(connection: Connection, first: int, last: int, columns: str = "reached") -> list[Any]:
    query = f"SELECT {columns} FROM funnel('buy', DATE '{day(first).date()}', DATE '{day(last).date()}')"
    found = rows(connection, query)
    return [row[0] for row in found] if columns == "reached" else found


def test_the_funnel_of_a_range_counts_the_entries_of_its_days(connection):
    define(connection)
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, 1, 2, status="converted"),
        attempt("bob", 3, 4),
        attempt("eve", 9),
    )

    assert funnel(connection, 0, 3) == [2, 2, 1]
    assert funnel(connection, 3, 9) == [2, 1, 0]


def test_the_funnel_of_a_range_takes_the_deepest_best_of_a_day(connection):
    define(connection)
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, 1, is_best=False, is_counted=False),
        attempt("ann", 5, 6, 7, status="converted", is_first=False),
    )

    assert funnel(connection, 0, 9) == [1, 1, 1]
    assert funnel(connection, 0, 4) == [1, 1, 0]


def test_equally_deep_attempts_are_decided_by_optional_steps_and_then_by_the_earlier_entry(connection):
    define(connection, optional=(2,))
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, None, 2, status="converted", is_best=False, is_counted=False),
        attempt("ann", 5, 6, 7, status="converted", is_first=False),
    )

    assert funnel(connection, 0, 9) == [1, 1, 1]


def test_the_funnel_of_first_attempts_takes_the_first_of_the_range(connection):
    define(connection, attempt="first")
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0),
        attempt("ann", 5, 6, 7, status="converted", is_first=False, is_counted=False),
    )

    assert funnel(connection, 0, 9) == [1, 0, 0]
    assert funnel(connection, 5, 9) == [1, 1, 1]


def test_the_funnel_of_all_attempts_counts_each(connection):
    define(connection, attempt="all")
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0),
        attempt("ann", 5, 6, 7, status="converted", is_first=False),
    )

    assert funnel(connection, 0, 9) == [2, 1, 1]


def test_the_funnel_macro_over_everything_equals_the_view(connection):
    define(connection, optional=(2,))
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, None, 2, status="converted"),
        attempt("bob", 1, 2, status="open"),
        attempt("eve", 1, status="excluded"),
    )
    columns = "step_number, reached, reached_before, step_rate, total_rate, total_rate_low, total_rate_high, dropped, open, excluded"

    assert funnel(connection, 0, 30, columns) == rows(connection, f"SELECT {columns} FROM mart.funnel_steps")


def walks(seed: int) -> pl.LazyFrame:
    """Events A, B and C of forty people over twenty days, often several a day."""
    chance = random.Random(seed)
    names = ("customer_id", "event", "occurred_at", "source", "event_id")
    found = [
        (
            f"c{person:02}",
            chance.choice("AAABBC"),
            day(chance.choice((4, 19)) * chance.random()),
            "web",
            f"{person}-{number}",
        )
        for person in range(40)
        for number in range(chance.randint(1, 7))
    ]
    return pl.LazyFrame(found, schema=names, orient="row").with_columns(
        pl.col("occurred_at").cast(pl.Datetime("us", "UTC"))
    )


@pytest.mark.parametrize("attempt", ["best", "first"])
@pytest.mark.parametrize("seed", range(4))
def test_the_funnel_of_a_range_in_sql_is_the_funnel_of_that_range(connection, seed, attempt):
    horizon = day(19)
    whole = Funnel.model_validate(
        {"name": "buy", "steps": [{"event": name} for name in "ABC"], "window": "5d", "attempt": attempt}
    )
    events = walks(seed)
    insert(connection, TABLES["core.funnel_definitions"], funnel_definitions([whole], horizons={"buy": horizon}))
    insert(connection, TABLES["mart.funnel_entrants"], funnel_entrants(events, whole, horizon=horizon).collect())

    for first, last in ((0, 30), (0, 3), (2, 12), (4, 14), (10, 18), (15, 30), (18, 18)):
        asked = whole.model_copy(update={"from_": day(first).date(), "to": day(last).date()})
        attempts = funnel_entrants(events, asked, horizon=horizon)
        groups = funnel_entrant_groups(events, attempts, asked, horizon=horizon)
        steps = funnel_answer(attempts.collect(), groups.collect(), asked, horizon=horizon, with_attempts=False)[
            "steps"
        ]

        found = funnel(connection, first, last, "reached, dropped, open, excluded")

        assert found == [tuple(step[name] for name in ("count", "dropped", "open", "excluded")) for step in steps]


def test_in_a_past_range_nobody_is_open_by_a_later_attempt(connection):
    define(connection)
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, 1, status="open"),
        attempt("ann", 20, status="open", is_first=False, is_best=False, is_counted=False),
    )

    assert funnel(connection, 0, 9, "dropped, open") == [(0, 0), (1, 0), (0, 0)]
    assert funnel(connection, 0, 30, "dropped, open") == [(0, 0), (0, 1), (0, 0)]


def test_a_best_attempt_that_says_open_is_believed_when_all_its_unit_entered_in_the_range(connection):
    define(connection)
    put(connection, "mart.funnel_entrants", attempt("ann", 0, 1, status="open"))

    assert funnel(connection, 0, 9, "dropped, open") == [(0, 0), (0, 1), (0, 0)]


def test_a_funnel_without_entries_shows_its_steps_with_zero(connection):
    define(connection)

    assert funnel(connection, 0, 9) == [0, 0, 0]


def test_retention_is_pooled_and_not_averaged(connection):
    monday = date(2026, 1, 5)
    put(
        connection,
        "mart.retention",
        {"cohort_week": monday, "week_number": 1, "cohort_size": 4, "returned": 0},
        {"cohort_week": monday + timedelta(days=7), "week_number": 1, "cohort_size": 100, "returned": 25},
        {"cohort_week": monday + timedelta(days=14), "week_number": 1, "cohort_size": 50, "returned": None},
    )

    found = rows(
        connection,
        "SELECT cohorts, returned, cohort_size, round(retention_rate, 4) FROM retention(DATE '2026-01-01', DATE '2026-12-31')",
    )

    assert found == [(2, 25, 104, 0.2404)]


# ---------------------------------------------------------------- funnel views


def test_a_step_that_nobody_reached_is_shown_with_zero(connection):
    define(connection)
    put(connection, "mart.funnel_entrants", attempt("ann", 0, 1))

    assert rows(
        connection, "SELECT step_number, reached, reached_before, step_rate, total_rate FROM mart.funnel_steps"
    ) == [
        (1, 1, None, None, 1.0),
        (2, 1, 1, 1.0, 1.0),
        (3, 0, 1, 0.0, 0.0),
    ]


def test_the_rate_after_an_optional_step_is_against_the_last_mandatory_one(connection):
    define(connection, optional=(2,))
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, None, 2, status="converted"),
        attempt("bob", 0, 1, 2, status="converted"),
    )

    assert rows(connection, "SELECT reached, reached_before FROM mart.funnel_steps") == [(2, None), (1, 2), (2, 2)]


def test_in_any_order_the_depth_says_how_many_steps_were_done(connection):
    define(connection, step_order="any")
    put(connection, "mart.funnel_entrants", attempt("ann", 0, None, 1, depth=2))

    assert rows(connection, "SELECT reached FROM mart.funnel_steps") == [(1,), (1,), (0,)]


def test_only_counted_attempts_are_in_a_period(connection):
    define(connection)
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, is_best=False, is_counted=False),
        attempt("ann", 5, 6, is_first=False),
    )

    assert rows(connection, "SELECT reached FROM mart.funnel_steps") == [(1,), (1,), (0,)]


def test_matured_and_so_far_are_of_first_attempts(connection):
    define(connection)
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, is_best=False, is_counted=False),
        attempt("ann", 5, 6, 7, status="converted", is_first=False),
        attempt("bob", 16, 17, 18, status="converted"),
        attempt("eve", 17, status="open"),
    )

    found = rows(
        connection,
        "SELECT reached, so_far_reached, so_far_entered, matured_reached, matured_entered FROM mart.funnel_steps",
    )

    assert found[-1] == (2, 1, 3, 1, 2)


def test_without_a_window_nothing_is_matured(connection):
    define(connection, window_seconds=None)
    put(connection, "mart.funnel_entrants", attempt("ann", 0, closes_at=None))

    assert rows(connection, "SELECT DISTINCT matured_entered, matured_rate FROM mart.funnel_steps") == [(None, None)]


def test_whoever_stops_is_counted_where_they_stand(connection):
    define(connection)
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, 1, status="dropped"),
        attempt("bob", 0, 1, status="open"),
        attempt("eve", 0, status="excluded"),
        attempt("joe", 0, 1, 2, status="converted"),
    )

    assert rows(connection, "SELECT dropped, open, excluded FROM mart.funnel_steps") == [
        (0, 0, 1),
        (1, 1, 0),
        (0, 0, 0),
    ]


def test_the_median_of_converters_is_the_nearest_rank_of_first_attempts(connection):
    define(connection, steps=2)
    put(
        connection,
        "mart.funnel_entrants",
        *(attempt(f"c{n}", 0, n, status="converted") for n in (1, 2, 3, 9)),
        attempt("x", 0),
    )

    found = rows(connection, "SELECT median_seconds_of_converters FROM mart.funnel_steps WHERE step_number = 2")

    assert found == [(2 * 86_400,)]


def test_sessions_of_one_customer_widen_the_interval(connection):
    define(connection, steps=2, unit="session")
    put(
        connection,
        "mart.funnel_entrants",
        *(attempt(f"s{n}", n, n, status="converted", customer_id="ann") for n in range(10)),
        *(attempt(f"s{n}", n, customer_id=f"c{n}") for n in range(10, 20)),
    )

    low, high = rows(connection, "SELECT total_rate_low, total_rate_high FROM mart.funnel_steps WHERE step_number = 2")[
        0
    ]

    plain_low, plain_high = rows(connection, "SELECT wilson_low(10, 20), wilson_high(10, 20)")[0]
    assert low < plain_low
    assert high > plain_high


def test_a_day_counts_the_best_of_its_entries_and_days_without_any_are_shown(connection):
    put(connection, "ops.settings", {"name": "time_zone", "value": "UTC"})
    define(connection, horizon=day(2))
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, 1, 1.5, status="converted"),
        attempt("ann", 1, 1.1, 1.5, status="converted", is_first=False, is_best=False, is_counted=False),
    )

    assert rows(connection, "SELECT entry_day, entrants, converted FROM mart.funnel_daily") == [
        (date(2026, 1, 1), 1, 1),
        (date(2026, 1, 2), 1, 1),
        (date(2026, 1, 3), 0, 0),
    ]


def test_a_day_is_mature_when_it_is_over_and_its_windows_have_closed(connection):
    put(connection, "ops.settings", {"name": "time_zone", "value": "UTC"})
    define(connection, horizon=day(15))
    put(connection, "mart.funnel_entrants", attempt("ann", 0), attempt("bob", 2), attempt("eve", 15))

    found = rows(connection, "SELECT entry_day, is_mature FROM mart.funnel_daily WHERE entrants > 0")

    assert [mature for _, mature in found] == [True, False, False]


def test_a_breakdown_counts_each_group_by_itself(connection):
    define(connection, steps=2)
    flags = ("is_first", "is_best", "is_first_of_day", "is_best_of_day")
    for who, value, times, counted in (
        ("ann", "Email", (1,), True),
        ("bob", "Direct", (), True),
        ("eve", "Email", (), False),
    ):
        member = {
            key: cell for key, cell in attempt(who, 0, *times).items() if key != "customer_id" and key not in flags
        }
        put(
            connection,
            "mart.funnel_entrant_groups",
            {**member, "breakdown": "channel", "value": value, "is_counted": counted},
        )

    assert rows(connection, "SELECT value, step_number, reached, first_reached FROM mart.funnel_breakdown") == [
        ("Direct", 1, 1, 1),
        ("Direct", 2, 0, 1),
        ("Email", 1, 1, 1),
        ("Email", 2, 1, 1),
    ]


# ---------------------------------------------------------------- other views


def test_stage_reach_has_both_denominators(connection):
    fill(connection)

    found = rows(
        connection, "SELECT stage, customers, of_customers, leads, of_leads, customers_now FROM mart.stage_reach"
    )

    assert found == [("awareness", 2, 2, 1, 1, 1), ("purchase", 1, 2, 1, 1, 1)]


def test_days_of_sessions_are_cut_in_the_report_time_zone(connection):
    put(connection, "ops.settings", {"name": "time_zone", "value": "Europe/Berlin"})
    put(connection, "core.sessions", session(1, "ann", datetime(2026, 1, 1, 23, 30, tzinfo=UTC)))

    assert rows(connection, "SELECT day, sessions FROM mart.sessions_daily") == [(date(2026, 1, 2), 1)]


def test_currencies_are_never_added(connection):
    put(
        connection,
        "core.sessions",
        session(1, "ann", day(0), channel="Email", is_converted=True, revenue_minor=100, currency="EUR"),
        session(2, "bob", day(0), channel="Email", is_converted=True, revenue_minor=7, currency="JPY"),
        session(3, "eve", day(0), channel="Email"),
    )

    found = rows(connection, "SELECT currency, sessions, revenue_minor FROM mart.sessions_daily")

    assert found == [("EUR", 1, 100), ("JPY", 1, 7), (None, 1, None)]


def test_a_channel_shows_revenue_in_the_report_currency_and_counts_the_rest(connection):
    put(connection, "ops.settings", {"name": "currency", "value": "EUR"})
    sale = {"is_conversion": True, "channel": "Sales call", "value_minor": 500}
    put(
        connection,
        "core.events",
        event("ann", 1, 0, currency="EUR", **sale),
        event("bob", 1, 0, currency="USD", **sale),
        event("eve", 1, 0, currency="EUR", is_counted=False, **{**sale, "channel": "Email"}),
    )

    found = rows(
        connection,
        "SELECT channel, sessions, conversions, revenue_minor, conversions_in_other_currencies FROM mart.channels",
    )

    assert found == [("Sales call", 0, 2, 500, 1)]


def test_revenue_is_net_of_returns_and_the_same_of_channels_days_and_sessions(connection):
    put(connection, "ops.settings", {"name": "currency", "value": "EUR"})
    there = {"session_id": "s1", "channel": "Email"}
    timeline = (
        event("ann", 1, 0, event="order_placed", is_conversion=True, value_minor=1999, currency="EUR", **there),
        event("ann", 2, 0.001, event="order_placed", is_conversion=True, value_minor=500, **there),
        event("ann", 3, 0.002, event="order_returned", value_minor=300, currency="EUR", **there),
        event("ann", 4, 0.003, event="order_returned", value_minor=-100, currency="EUR", **there),
        event("ann", 5, 0.004, event="page_view", value_minor=7, currency="EUR", **there),
    )
    put(connection, "core.events", *timeline)
    events = connection.sql("FROM core.events").pl()
    insert(
        connection,
        TABLES["core.sessions"],
        summarise_sessions(events.lazy(), journey=Journey(currency="EUR")).collect(),
    )

    of_channels = rows(
        connection, "SELECT channel, conversions, revenue_minor, conversions_in_other_currencies FROM mart.channels"
    )

    assert of_channels == [("Email", 2, 2099, 0)]
    assert rows(connection, "SELECT revenue_minor FROM core.sessions") == [(2099,)]
    assert rows(connection, "SELECT channel, revenue_minor FROM mart.sessions_daily") == [("Email", 2099)]


def test_the_last_mapped_event_of_a_session_is_its_exit(connection):
    put(connection, "core.sessions", session(1, "ann", day(0)), session(2, "bob", day(0), is_converted=True))
    put(
        connection,
        "core.events",
        event("ann", 1, 0, session_id="s1", stage="awareness", touchpoint="blog"),
        event("ann", 2, 0.01, session_id="s1", stage="purchase", touchpoint="cart"),
        event("ann", 3, 0.02, session_id="s1"),
        event("bob", 1, 0, session_id="s2", stage="awareness", touchpoint="blog"),
        event("bob", 2, 1, stage="awareness", touchpoint="blog"),
    )
    count_contacts(connection)

    found = rows(
        connection, "SELECT touchpoint, events, customers, sessions, exits, converted_sessions FROM mart.touchpoints"
    )

    assert found == [("blog", 3, 2, 2, 1, 1), ("cart", 1, 1, 1, 1, 0)]


def test_unmapped_events_have_their_share_of_all_counted_ones(connection):
    put(
        connection,
        "core.events",
        event("ann", 1, 0, stage="awareness"),
        event("ann", 2, 1, event="scroll"),
        event("ann", 3, 2, event="scroll", is_counted=False),
    )

    assert rows(connection, "SELECT event, events, of_events, share FROM mart.unmapped_events") == [
        ("scroll", 1, 2, 0.5)
    ]


def test_data_quality_shows_events_with_and_without_robots(connection):
    fill(connection)
    put(connection, "core.events", event("bot", 1, 1, is_bot=True, is_counted=False))

    found = rows(connection, "SELECT source, events, robot_events, counted_events FROM mart.data_quality")

    assert found == [("web", 4, 1, 3)]


# ---------------------------------------------------------------- examples


def example(connection: Connection, name: str) -> list[tuple[Any, ...]]:
    return rows(connection, (ROOT / "sql" / "examples" / f"{name}.sql").read_text())


def test_the_funnel_of_a_month_is_of_every_funnel_by_its_own_newest_day(connection):
    define(connection)
    define(connection, funnel="try", steps=2)
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, 1, 2, status="converted"),
        attempt("bob", 40),
        attempt("ann", 0, 1, status="converted", funnel="try"),
        attempt("bob", 1, funnel="try"),
    )

    found = [row[:2] + row[4:5] for row in example(connection, "02_funnel_of_a_month")]

    assert found == [("buy", 1, 1), ("buy", 2, 0), ("buy", 3, 0), ("try", 1, 2), ("try", 2, 1)]


def test_the_list_of_who_stopped_is_as_long_as_the_bar_of_each_funnel(connection):
    define(connection)
    define(connection, funnel="try")
    put(
        connection,
        "mart.funnel_entrants",
        *(attempt(f"c{n}", 0, 1, funnel=name) for name in ("buy", "try") for n in range(120)),
    )

    assert len(example(connection, "03_who_stopped_at_the_last_step")) == 240


# ---------------------------------------------------------------- checks find what they look for

OFFENCES = {
    "core/events/event_keys_are_unique": ("core.events", event("ann", 9, 5, event_id="ann1", session_id="s1")),
    "core/events/event_numbers_have_no_gaps": ("core.events", event("ann", 9, 5, session_id="s1")),
    "core/events/counted_active_events_have_a_session": ("core.events", event("ann", 3, 5)),
    "core/sessions/events_name_sessions_that_exist": ("core.events", event("ann", 3, 5, session_id="gone")),
    "core/customers/keys_are_unique": ("core.customers", customer("ann")),
    "core/customers/every_event_has_its_customer": ("core.events", event("zoe", 1, 5, session_id="s1")),
    "core/customers/aliases_point_at_one_customer": ("core.customer_aliases", {"alias_id": "a", "customer_id": "gone"}),
    "core/customer_segments/members_exist": ("core.customer_segments", {"segment": "x", "customer_id": "gone"}),
    "core/sessions/keys_are_unique": ("core.sessions", session(1, "ann", day(0))),
    "core/sessions/ends_after_it_starts": ("core.sessions", session(9, "ann", day(1), ended_at=day(0))),
    "core/sessions/holds_its_active_events": ("core.sessions", session(9, "ann", day(1))),
    "core/stage_entries/stages_alternate": (
        "core.stage_entries",
        {"customer_id": "ann", "entry_number": 3, "stage": "purchase", "entered_at": day(3), "from_stage": "purchase"},
    ),
    "core/stage_entries/entries_follow_each_other": (
        "core.stage_entries",
        {"customer_id": "bob", "entry_number": 2, "stage": "purchase", "entered_at": day(3), "from_stage": "awareness"},
    ),
    "mart/funnel_entrants/keys_are_unique": ("mart.funnel_entrants", attempt("bob", 1)),
    "mart/funnel_entrants/depth_is_a_step_of_the_funnel": ("mart.funnel_entrants", attempt("eve", 1, depth=0)),
    "mart/funnel_entrants/times_do_not_decrease": ("mart.funnel_entrants", attempt("eve", 1, 3, 2)),
    "mart/funnel_entrants/a_unit_has_one_best_attempt": ("mart.funnel_entrants", attempt("bob", 2)),
    "mart/attribution/credit_sums_to_one_million": (
        "mart.attribution",
        {"customer_id": "bob", "conversion_event_id": "x", "model": "first", "credit_ppm": 999_999},
    ),
    "mart/attribution/every_conversion_is_credited": ("core.events", event("bob", 2, 5, is_conversion=True)),
    "mart/attribution_markov/credit_sums_to_one": (
        "mart.attribution_markov",
        {"conversion": "(all)", "channel": "Direct", "credit": 0.1, "conversions": 0.1, "all_conversions": 1},
    ),
    "mart/journey_paths/journeys_add_up": ("mart.journey_paths", path("channel", 1, "Email", 1, 0, 2)),
    "mart/journey_paths/every_customer_with_a_stage_has_a_path": (
        "mart.journey_paths",
        path("stage", 3, "purchase", 1, 0, 2),
    ),
    "mart/stage_velocity/quartiles_follow_each_other": (
        "mart.stage_velocity",
        {"from_stage": "a", "to_stage": "b", "entered": 2, "reached": 1, "waiting": 1, "median_days": 1.0},
    ),
    "mart/stage_flow/whoever_comes_in_goes_out": (
        "core.stage_entries",
        {"customer_id": "eve", "entry_number": 1, "stage": "purchase", "entered_at": day(0), "left_at": day(1)},
    ),
    "mart/stuck_customers/are_in_one_stage_each": (
        "core.stage_entries",
        {"customer_id": "eve", "entry_number": 1, "stage": "awareness", "entered_at": day(0)},
    ),
    "mart/segment_touchpoints/parts_are_within_their_wholes": (
        "mart.segment_touchpoints",
        {
            "segment": "(everybody)",
            "stage": "buy",
            "touchpoint": "cart",
            "customers": 2,
            "of_customers": 3,
            "went_on": 3,
        },
    ),
    "mart/sales_outcomes/an_end_has_its_outcome": ("mart.sales_outcomes", deal("d3", "open", 3)),
    "mart/competing_outcomes/shares_stay_within_one": (
        "mart.competing_outcomes",
        {"object": "deal", "outcome": "won", "day": 9, "records": 2, "happened": 1, "open": 1, "share": 0.6},
    ),
    "mart/service_contacts/replies_and_closings_follow_the_opening": (
        "core.events",
        event(
            "cai",
            12,
            4,
            event="ticket_replied",
            stage="retention",
            is_active=False,
            object="ticket",
            record_id="t1",
            event_id="early",
        ),
    ),
    "mart/adoption/reached_are_part_of_the_purchasers": (
        "mart.adoption",
        {"touchpoint": "login", "purchasers": 1, "reached": 2, "matured_purchasers": 1, "matured_reached": 1},
    ),
    "mart/funnel_change_steps/parts_sum_to_the_change": (
        "mart.funnel_change_steps",
        {"funnel": "buy", "step_number": 1, "part": 0.1, "total_change": 0.2},
    ),
    "mart/funnel_change_groups/parts_sum_to_the_change": (
        "mart.funnel_change_groups",
        {"funnel": "buy", "breakdown": "device", "value": "x", "mix_part": 0.1, "rate_part": 0.0, "total_change": 0.2},
    ),
    "mart/funnel_drivers/converted_are_part_of_the_units": (
        "mart.funnel_drivers",
        {
            "funnel": "buy",
            "kind": "event",
            "driver": "help",
            "with_units": 20,
            "with_converted": 21,
            "without_units": 20,
            "without_converted": 1,
            "odds_ratio": 2.0,
            "odds_ratio_low": 1.0,
            "odds_ratio_high": 3.0,
        },
    ),
    "mart/retention/returned_are_part_of_the_cohort": (
        "mart.retention",
        {"cohort_week": date(2026, 1, 5), "week_number": 1, "cohort_size": 1, "returned": 2},
    ),
    "mart/stage_conversion/reached_are_part_of_the_entered": ("mart.stage_conversion", {"entered": 1, "reached": 2}),
    "mart/stage_transitions/whoever_enters_a_stage_leaves_or_stays": (
        "mart.stage_transitions",
        {"from_stage": "(start)", "to_stage": "awareness", "moves": 1},
    ),
    "mart/identity_bridges/sides_are_the_customer": (
        "mart.identity_bridges",
        {"customer_id": "ann", "from_identifiers": 2, "to_identifiers": 2},
    ),
    "ops/balances/books_balance": ("ops.balances", {"file_id": "g", "rows_in": 2, "loaded": 1}),
}


@pytest.mark.parametrize("name", OFFENCES)
def test_a_check_finds_what_it_looks_for(connection, name):
    fill_all(connection)
    table, row = OFFENCES[name]

    put(connection, table, row)

    assert len(check(connection, name)) == 1


BROKEN_VIEWS = {
    "mart/abandoned_carts/carts_end_once": (
        "SELECT 'ann' AS customer_id, 1 AS cart_number, now() AS opened_at, now() AS filled_at, NULL AS ordered_at, "
        "NULL::TIMESTAMPTZ AS reminded_at, NULL::TIMESTAMPTZ AS clicked_at, 'ordered' AS status"
    ),
    "mart/subscriptions/an_end_has_its_time": (
        "SELECT 's' AS source, 'm' AS subscription_id, 'expired' AS status, NULL::TIMESTAMPTZ AS ended_at"
    ),
    "mart/renewals/decided_are_renewed_or_ended": (
        "SELECT DATE '2026-01-01' AS month, 2 AS renewed, 0 AS cancelled, 0 AS expired, 1 AS decided"
    ),
    "mart/purchase_frequency/purchasers_add_up": "SELECT 1 AS purchasers, 2 AS all_purchasers, 1 AS all_orders",
    "mart/customer_value/no_segment_exceeds_all": (
        "SELECT * FROM (VALUES ('(all)', 'EUR', 1, 1), ('x', 'EUR', 2, 2)) AS t (segment, currency, purchasers, orders)"
    ),
    "mart/lifecycle/who_is_active_goes_on_or_falls_silent": (
        "SELECT * FROM (VALUES (DATE '2026-01-05', 3, 3, 0, 0, 0), (DATE '2026-01-12', 1, 0, 1, 0, 1)) "
        "AS t (week, active_customers, new_customers, returning_customers, resurrected_customers, dormant_customers)"
    ),
    "mart/acquisition/customers_add_up": "SELECT 'x' AS source, 'y' AS medium, 7 AS customers",
    "mart/referrals/nobody_refers_themselves": (
        "SELECT 's' AS source, 'e' AS event_id, 'ann' AS customer_id, 'ann' AS referred_customer_id"
    ),
    "mart/accounts/people_add_up": "SELECT 7 AS people",
    "mart/feature_use/uses_add_up": "SELECT 7 AS uses",
    "mart/friction/affected_are_part_of_the_customers": (
        "SELECT 'a' AS stage, NULL AS phase, 'b' AS touchpoint, 1 AS customers, 2 AS affected, 1 AS sessions, 0 AS exits, "
        "0 AS errors, 0 AS customers_with_ticket"
    ),
    "mart/churn/churned_are_part_of_the_active": (
        "SELECT DATE '2026-01-01' AS month, 1 AS active_at_start, 2 AS churned, 0 AS retained"
    ),
    "mart/churn_points/everybody_saw_something_last": (
        "SELECT 2 AS churned_last, 1 AS churned, 0 AS retained_last, 0 AS retained"
    ),
    "mart/support/every_contact_is_counted_once": "SELECT 7 AS contacts",
    "mart/voice_of_customer/answers_add_up": (
        "SELECT DATE '2026-01-01' AS month, 'nps' AS survey, '(all)' AS touchpoint_before, 2 AS answers, 2 AS promoters, "
        "0 AS passives, 0 AS detractors"
    ),
    "mart/reviews/sentiments_add_up": (
        "SELECT DATE '2026-01-01' AS month, 'x' AS event, '(all)' AS touchpoint_before, 2 AS posts, 0 AS rated, "
        "2 AS with_sentiment, 1 AS positive, 0 AS neutral, 0 AS negative"
    ),
    "mart/promoters_who_left/left_after_they_answered": (
        "SELECT 'ann' AS customer_id, TIMESTAMPTZ '2026-01-02 00:00Z' AS answered_at, TIMESTAMPTZ '2026-01-01 00:00Z' AS ended_at"
    ),
}


@pytest.mark.parametrize("name", BROKEN_VIEWS)
def test_a_check_finds_a_view_that_says_something_impossible(connection, name):
    fill_all(connection)
    view = name.split("/")[1]

    connection.execute(f"CREATE OR REPLACE VIEW mart.{view} AS {BROKEN_VIEWS[name]}")

    assert len(check(connection, name)) == 1


def test_a_step_that_grows_is_found(connection):
    define(connection)
    put(
        connection,
        "mart.funnel_entrants",
        attempt("ann", 0, None, 2, status="converted", depth=3),
        attempt("bob", 0, depth=3),
    )
    connection.execute(
        "CREATE OR REPLACE VIEW mart.funnel_steps AS SELECT 'buy' AS funnel, 2 AS step_number, 5 AS reached, 4 AS reached_before"
    )

    assert check(connection, "mart/funnel_steps/units_never_grow") == [("buy", 2, 5, 4)]


# ---------------------------------------------------------------- money spent


def spent(number: float, campaign: str, cost: int, currency: str = "EUR", *, properties: str | None = None) -> Row:
    return {
        "source": "ads", "event_id": f"{number}{campaign}{cost}", "occurred_at": day(number), "utm_source": "google", "utm_medium": "cpc",
        "utm_campaign": campaign, "value_minor": cost, "currency": currency, "properties": properties,
    }  # fmt: skip


def test_money_spent_adds_up_by_day_campaign_and_currency(connection):
    put(
        connection,
        "raw.ad_spend",
        spent(0, "Brand", 500, properties='{"impressions":"1000","clicks":"10","conversions":"1.50"}'),
        spent(0, "Brand", 700, properties='{"impressions":"200","clicks":"5"}'),
        spent(0, "Brand", 900, "USD"),
        spent(1, "Brand", 100),
    )

    found = rows(
        connection, "SELECT day, campaign, currency, cost_minor, impressions, clicks, conversions FROM mart.ad_spend"
    )

    assert found == [
        (date(2026, 1, 1), "Brand", "EUR", 1200, 1200, 15, 1.5),
        (date(2026, 1, 1), "Brand", "USD", 900, None, None, None),
        (date(2026, 1, 2), "Brand", "EUR", 100, None, None, None),
    ]


def test_the_day_of_money_spent_is_that_of_the_report_time_zone(connection):
    put(connection, "ops.settings", {"name": "time_zone", "value": "Europe/Berlin"})
    put(connection, "raw.ad_spend", {**spent(0, "Brand", 500), "occurred_at": datetime(2026, 1, 1, 23, tzinfo=UTC)})

    assert rows(connection, "SELECT day FROM mart.ad_spend") == [(date(2026, 1, 2),)]


def test_the_cost_of_a_conversion_joins_campaigns_whatever_their_case(connection):
    put(connection, "raw.ad_spend", spent(0, "Brand", 500), spent(1, "Brand", 700), spent(1, "Idle", 50))
    credit = {
        "customer_id": "c",
        "model": "last_non_direct",
        "touch_number": 1,
        "utm_campaign": "brand",
        "credit_ppm": 1_000_000,
    }
    put(connection, "mart.attribution", *({**credit, "conversion_event_id": str(number)} for number in range(3)))

    found = rows(connection, (ROOT / "sql" / "examples" / "16_cost_per_conversion.sql").read_text())

    assert found == [("brand", "EUR", 1200, None, 3.0, 400), ("idle", "EUR", 50, None, 0.0, None)]


# ---------------------------------------------------------------- identity


def test_identity_health_counts_each_figure_of_what_it_concerns(connection):
    put(connection, "core.customers", customer("c1", is_identified=True, is_multi_strong=True, identifier_count=4),
        customer("c2", is_identified=True, identifier_count=1), customer("c3", identifier_count=1))  # fmt: skip
    put(connection, "core.identity_map", identifier("anonymous_id", "b1", None, status="shared"),
        identifier("anonymous_id", "b2", "c3", status="alone"), identifier("email", "m1", None, status="capped"))  # fmt: skip
    put(connection, "core.identity_edges", edge("b1", "u1", status="conflict"), edge("b1", "u2"),
        edge("b1", "u3", status="retracted"))  # fmt: skip
    put(connection, "mart.identity_bridges", {"customer_id": "c1"}, {"customer_id": "c1"})

    found = rows(connection, "SELECT figure, subject, affected, total FROM mart.identity_health")

    assert found == [
        ("multi_strong", "customers", 1, 2), ("hanging", "customers", 1, 1), ("shared", "anonymous_id", 1, 2),
        ("unrecognised", "anonymous_id", 1, 2), ("hub", "email", 1, 1), ("conflict", "login", 1, 3),
        ("capped", "login", 0, 3), ("retracted", "login", 1, 3),
    ]  # fmt: skip


def test_the_largest_customers_are_twenty_and_equal_ones_are_told_apart_by_their_id(connection):
    put(
        connection, "core.customers", *(customer(f"c{number:02}", identifier_count=number // 2) for number in range(30))
    )
    put(connection, "mart.identity_bridges", {"customer_id": "c29"}, {"customer_id": "c29"})

    found = rows(connection, "SELECT customer_id, identifiers, bridges FROM mart.identity_largest")

    assert found[:3] == [("c28", 14, 0), ("c29", 14, 2), ("c26", 13, 0)]
    assert len(found) == 20


def test_a_shared_browser_counts_the_customers_who_use_it_and_not_those_it_was_taken_from(connection):
    put(connection, "core.identity_map", identifier("anonymous_id", "b1", None, status="shared"),
        *(identifier("user_id", f"u{number}", f"c{number}") for number in range(3)))  # fmt: skip
    put(connection, "core.identity_edges", edge("b1", "u0", number=1), edge("b1", "u0", kind="identify", number=2),
        edge("b1", "u1", number=3), edge("b1", "u2", number=9, status="retracted"))  # fmt: skip

    assert rows(connection, "FROM mart.identity_shared") == [("anonymous_id", "b1", 2, 3, day(1), day(3))]


def test_blocked_values_are_added_up_over_the_files_of_a_source(connection):
    put(connection, "raw.files", *({"file_id": name, "source": source, "landed_at": day(number)}
                                   for number, (name, source) in enumerate([("f1", "web"), ("f2", "web"), ("f3", "crm")])))  # fmt: skip
    put(connection, "raw.blocked_values", blocked("f1", "user_id", 2), blocked("f2", "user_id", 3), blocked("f3", "email", 1),
        blocked("f2", "user_id", 1, "all zeros"))  # fmt: skip

    assert rows(connection, "FROM mart.identity_blocked") == [
        ("web", "user_id", "placeholder word", 5, 2, day(0)), ("crm", "email", "placeholder word", 1, 1, day(2)),
        ("web", "user_id", "all zeros", 1, 1, day(1)),
    ]  # fmt: skip
