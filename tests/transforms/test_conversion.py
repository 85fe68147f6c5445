from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from transforms.contracts import (
    CORE_CUSTOMERS,
    CORE_SESSIONS,
    CORE_STAGE_ENTRIES,
    MART_KPIS,
    MART_STAGE_CONVERSION,
    MART_STAGE_TRANSITIONS,
    MART_STAGE_VELOCITY,
)
from transforms.conversion import kpis, stage_conversion, stage_transitions, stage_velocity
from transforms.journey import Journey

STAGES = ["awareness", "consideration", "purchase"]
DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)


def journey(window: str = "14d", figures: list[dict] | None = None) -> Journey:
    stages = [{"name": name} for name in STAGES]
    return Journey.model_validate({"stages": stages, "stage_window": window, "kpis": figures or []})


def day(number: float) -> datetime:
    return DAY_0 + timedelta(days=number)


def entries(**walks: list[tuple[str, float]]) -> pl.LazyFrame:
    """CORE_STAGE_ENTRIES of customers who enter stages on days."""
    rows = []
    for customer, walk in walks.items():
        for number, (stage, at) in enumerate(walk):
            before = walk[number - 1][0] if number else None
            step = STAGES.index(stage) - STAGES.index(before) if before else 0
            rows.append(
                {
                    "customer_id": customer,
                    "entry_number": number + 1,
                    "stage": stage,
                    "stage_number": STAGES.index(stage) + 1,
                    "entered_at": day(at),
                    "left_at": day(walk[number + 1][1]) if number + 1 < len(walk) else None,
                    "from_stage": before,
                    "direction": "back" if step < 0 else "skip" if step > 1 else "forward",
                    "is_first": stage not in [name for name, _ in walk[:number]],
                }
            )
    held = {"left_at": pl.Datetime("us", "UTC")} if rows else CORE_STAGE_ENTRIES.schema
    return CORE_STAGE_ENTRIES.conform(pl.LazyFrame(rows, schema_overrides=held))


def first_pair(frame: pl.LazyFrame) -> dict:
    return frame.collect().row(0, named=True)


# ---------------------------------------------------------------- stage conversion


def test_the_example_of_the_semantics_is_matured_so_far_and_projected():
    old = {f"old{n}": [("awareness", 0.0)] for n in range(10)}
    new = {f"new{n}": [("awareness", 11.0)] for n in range(10)}
    for customer, after in (("old0", 1), ("old1", 2), ("old2", 9), ("old3", 12)):
        old[customer].append(("consideration", after))
    for customer, after in (("new0", 1), ("new1", 2)):
        new[customer].append(("consideration", 11 + after))

    found = first_pair(stage_conversion(entries(**old, **new), journey=journey(), horizon=day(14)))

    assert (found["reached"], found["entered"]) == (6, 20)
    assert (found["matured_reached"], found["matured_entered"]) == (4, 10)
    assert (found["projected_rate"], round(found["projected_error"], 3)) == (0.4, 0.14)


def test_every_later_stage_has_a_row_even_when_nobody_reached_it():
    found = stage_conversion(entries(ann=[("awareness", 0)]), journey=journey(), horizon=day(30)).collect()

    assert found.select("from_stage", "to_stage", "entered", "reached").rows() == [
        ("awareness", "consideration", 1, 0),
        ("awareness", "purchase", 1, 0),
        ("consideration", "purchase", 0, 0),
    ]


@pytest.mark.parametrize(("after", "reached"), [(14, 1), (14.001, 0)])
def test_the_end_of_the_window_still_counts(after, reached):
    walk = entries(ann=[("awareness", 0), ("consideration", after)])

    assert first_pair(stage_conversion(walk, journey=journey(), horizon=day(30)))["reached"] == reached


def test_a_window_that_ends_at_the_horizon_is_closed():
    walk = entries(ann=[("awareness", 0)], bob=[("awareness", 0.001)])

    assert first_pair(stage_conversion(walk, journey=journey(), horizon=day(14)))["matured_entered"] == 1


def test_the_first_entry_opens_the_window():
    walk = entries(ann=[("awareness", 0), ("purchase", 20), ("awareness", 21), ("consideration", 22)])

    assert first_pair(stage_conversion(walk, journey=journey(), horizon=day(60)))["reached"] == 0


def test_a_stage_reached_before_is_not_reached_after():
    walk = entries(ann=[("consideration", 0), ("awareness", 1)])

    assert first_pair(stage_conversion(walk, journey=journey(), horizon=day(60)))["reached"] == 0


def test_stages_of_one_instant_follow_each_other():
    walk = entries(ann=[("awareness", 0), ("consideration", 0)])

    found = first_pair(stage_conversion(walk, journey=journey(), horizon=day(60)))

    assert (found["reached"], found["median_seconds"]) == (1, 0)


def test_a_bare_date_that_follows_a_timed_entry_took_no_time():
    walk = entries(ann=[("awareness", 0.5), ("consideration", 0)])

    found = first_pair(stage_conversion(walk, journey=journey(), horizon=day(60)))
    move = stage_transitions(walk, journey=journey()).filter(pl.col("direction").is_not_null()).collect()

    assert (found["reached"], found["median_seconds"]) == (1, 0)
    assert move["median_seconds"].to_list() == [0]


def test_a_range_takes_the_first_entry_inside_of_it():
    walk = entries(ann=[("awareness", 0), ("purchase", 1), ("awareness", 10), ("consideration", 12)])

    found = first_pair(
        stage_conversion(walk, journey=journey("3d"), horizon=day(60), time_from=day(5), time_to=day(11))
    )

    assert (found["entered"], found["reached"]) == (1, 1)


def test_entries_after_the_horizon_are_not_known():
    walk = entries(ann=[("awareness", 0), ("consideration", 2)])

    assert first_pair(stage_conversion(walk, journey=journey(), horizon=day(1)))["reached"] == 0


def test_without_a_window_there_is_only_so_far():
    walk = entries(ann=[("awareness", 0), ("consideration", 400)])

    found = first_pair(stage_conversion(walk, journey=journey("none"), horizon=day(500)))

    assert (found["reached"], found["median_seconds"]) == (1, 400 * 86_400)
    assert (found["matured_entered"], found["projected_rate"], found["window_seconds"]) == (None, None, None)


def test_stage_conversion_of_nothing_keeps_its_contract():
    found = stage_conversion(CORE_STAGE_ENTRIES.empty().lazy(), journey=journey(), horizon=None).collect()

    assert MART_STAGE_CONVERSION.check(found)["entered"].to_list() == [0, 0, 0]


# ---------------------------------------------------------------- transitions


def test_moves_are_counted_from_the_start_to_where_customers_are_now():
    walks = entries(
        ann=[("awareness", 0), ("purchase", 2), ("awareness", 3)],
        bob=[("awareness", 0), ("purchase", 4)],
    )

    moves = stage_transitions(walks, journey=journey()).collect()

    assert MART_STAGE_TRANSITIONS.check(moves).rows() == [
        ("(start)", "awareness", None, 2, 2, None),
        ("awareness", "purchase", "skip", 2, 2, 2 * 86_400),
        ("awareness", "(still there)", None, 1, 1, None),
        ("purchase", "awareness", "back", 1, 1, 86_400),
        ("purchase", "(still there)", None, 1, 1, None),
    ]


def test_transitions_do_not_depend_on_the_order_of_rows():
    walks = entries(ann=[("awareness", 0), ("purchase", 2)], bob=[("purchase", 0), ("awareness", 5)])

    assert_frame_equal(
        stage_transitions(walks, journey=journey()).collect(),
        stage_transitions(walks.reverse(), journey=journey()).collect(),
    )


# ---------------------------------------------------------------- key figures


def figure(metric: str, stage: str, target: float | None = None, **frames: pl.LazyFrame) -> dict:
    plan = journey(figures=[{"stage": stage, "metric": metric, "target": target, "owner": "growth"}])
    walks = frames.get("entries", CORE_STAGE_ENTRIES.empty().lazy())
    found = kpis(
        journey=plan,
        conversion=stage_conversion(walks, journey=plan, horizon=day(60)),
        entries=walks,
        customers=frames.get("customers", CORE_CUSTOMERS.empty().lazy()),
        sessions=frames.get("sessions", CORE_SESSIONS.empty().lazy()),
    ).collect()
    return MART_KPIS.check(found).row(0, named=True)


def customers(**columns: list) -> pl.LazyFrame:
    return CORE_CUSTOMERS.conform(pl.LazyFrame(columns))


def test_stage_conversion_is_of_those_whose_window_has_closed():
    walks = {f"c{n}": [("awareness", 0.0)] for n in range(20)} | {"late": [("awareness", 55.0)]}
    walks["c0"].append(("consideration", 3.0))

    found = figure("stage_conversion", "awareness", 0.04, entries=entries(**walks))

    assert (found["numerator"], found["denominator"], found["value"], found["status"]) == (1, 20, 0.05, "met")


def test_the_last_stage_has_no_stage_conversion():
    found = figure("stage_conversion", "purchase")

    assert (found["numerator"], found["denominator"], found["value"]) == (0, 0, None)


def test_stage_reach_is_of_all_customers_with_events():
    people = customers(customer_id=[f"c{n}" for n in range(25)], event_count=[1] * 20 + [0] * 5)
    walks = entries(c1=[("purchase", 0)], c2=[("awareness", 0), ("purchase", 1)])

    found = figure("stage_reach", "purchase", 0.2, entries=walks, customers=people)

    assert (found["numerator"], found["denominator"], found["value"], found["status"]) == (2, 20, 0.1, "missed")


def test_conversion_is_of_leads_or_of_visitors_whoever_bought():
    people = customers(
        customer_id=[f"c{n}" for n in range(40)],
        is_lead=[n < 20 for n in range(40)],
        visitor_count=[2 if n % 2 else 0 for n in range(40)],
        purchase_count=[3 if n in (1, 2, 4, 39) else 0 for n in range(40)],
    )

    of_leads = figure("lead_conversion", "purchase", customers=people)
    of_visitors = figure("visitor_conversion", "purchase", customers=people)

    assert (of_leads["numerator"], of_leads["denominator"]) == (3, 20)
    assert (of_visitors["numerator"], of_visitors["denominator"]) == (2, 20)
    assert of_leads["status"] is None


@pytest.mark.parametrize("metric", ["lead_conversion", "visitor_conversion"])
def test_whoever_enters_the_stage_without_buying_has_not_converted(metric):
    people = customers(customer_id=["a", "b"], is_lead=[True, True], visitor_count=[1, 1], purchase_count=[0, 1])

    found = figure(metric, "purchase", entries=entries(a=[("purchase", 0)]), customers=people)

    assert (found["numerator"], found["denominator"]) == (1, 2)


def test_a_lower_bounce_rate_is_better():
    visits = CORE_SESSIONS.conform(
        pl.LazyFrame({"first_stage": ["awareness"] * 20 + ["purchase"], "is_bounce": [True] * 5 + [False] * 16})
    )

    found = figure("bounce_rate", "awareness", 0.3, sessions=visits)

    assert (found["numerator"], found["denominator"], found["status"]) == (5, 20, "met")


def test_under_twenty_there_is_too_little_to_say():
    people = customers(customer_id=["a", "b", "c"], purchase_count=[2, 1, 0])

    found = figure("repeat_rate", "purchase", 0.2, customers=people)

    assert (found["numerator"], found["denominator"], found["status"]) == (1, 2, "too few to say")


def test_a_stage_may_be_called_by_its_alias():
    assert figure("stage_reach", "decision")["stage"] == "purchase"


def test_no_figures_give_the_empty_table():
    empty = CORE_STAGE_ENTRIES.empty().lazy()
    found = kpis(
        journey=journey(), conversion=MART_STAGE_CONVERSION.empty().lazy(), entries=empty,
        customers=CORE_CUSTOMERS.empty().lazy(), sessions=CORE_SESSIONS.empty().lazy(),
    )  # fmt: skip

    assert MART_KPIS.check(found.collect()).is_empty()


# ---------------------------------------------------------------- velocity


def test_quartiles_between_stages_count_in_who_still_waits():
    walks = {f"c{n}": [("awareness", 0.0), ("consideration", float(n))] for n in (1, 2, 3)}
    waiting = {"slow": [("awareness", 0.0)], "late": [("awareness", 28.0)]}

    found = MART_STAGE_VELOCITY.check(
        stage_velocity(entries(**walks, **waiting), journey=journey(), horizon=day(30)).collect()
    )

    counts = ("entered", "reached", "waiting")
    days = ("quartile_1_days", "median_days", "quartile_3_days")
    assert found.row(0, named=True) == {
        "from_stage": "awareness", "from_stage_number": 1, "to_stage": "consideration", "to_stage_number": 2,
        **dict(zip(counts, (5, 3, 2), strict=True)), **dict(zip(days, (2.0, 3.0, None), strict=True)),
    }  # fmt: skip


def test_velocity_does_not_end_with_the_stage_window():
    slow = entries(ann=[("awareness", 0), ("consideration", 20.5)])

    found = stage_velocity(slow, journey=journey("14d"), horizon=day(30)).collect()

    assert found.row(0)[4:] == (1, 1, 0, 20.5, 20.5, 20.5)


def test_stages_nobody_entered_have_no_velocity():
    found = stage_velocity(entries(), journey=journey(), horizon=None).collect()

    assert found.select("entered", "reached", "waiting", "median_days").unique().rows() == [(0, 0, 0, None)]
