from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from transforms.contracts import CORE_CUSTOMERS, CORE_EVENTS, MART_RETENTION
from transforms.retention import period_number, period_start, retention, weekly_retention

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
LENGTH = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


def at(day: float) -> datetime:
    return MONDAY + timedelta(days=day)


def moments(*pairs: tuple[str, float]) -> pl.LazyFrame:
    schema = {"unit_id": pl.String, "occurred_at": pl.Datetime("us", "UTC")}
    return pl.LazyFrame([(unit, at(day)) for unit, day in pairs], schema=schema, orient="row")


def counted(frame: pl.LazyFrame) -> list[tuple[int, int, int | None]]:
    return frame.select("bucket_from", "cohort_size", "returned").collect().rows()


def daily(starts: pl.LazyFrame, returns: pl.LazyFrame, **settings) -> pl.LazyFrame:
    return retention(starts, returns, **{"period": "day", "time_zone": "UTC", "horizon": at(3), **settings})


# ---------------------------------------------------------------- the mart


def test_purchasers_are_followed_week_by_week():
    customers = CORE_CUSTOMERS.conform(
        pl.LazyFrame({"customer_id": ["ann", "bob", "eve"], "first_purchase_at": [at(0), at(6.9), None]})
    )
    events = CORE_EVENTS.conform(
        pl.LazyFrame(
            {
                "customer_id": ["ann", "bob", "bob", "eve"],
                "occurred_at": [at(0), at(6.9), at(8), at(9)],
                "is_counted": True,
                "is_active": True,
                "is_conversion": [True, True, False, False],
            }
        )
    )

    weeks = weekly_retention(customers, events, time_zone="UTC", horizon=at(20)).collect()

    assert MART_RETENTION.check(weeks).rows() == [
        (date(2026, 1, 5), 0, 2, 2),
        (date(2026, 1, 5), 1, 2, 1),
        (date(2026, 1, 5), 2, 2, None),
    ]


def test_a_conversion_in_the_crm_is_a_return_and_a_robot_is_not():
    customers = CORE_CUSTOMERS.conform(
        pl.LazyFrame({"customer_id": ["ann", "bob"], "first_purchase_at": [at(0), at(0)]})
    )
    events = CORE_EVENTS.conform(
        pl.LazyFrame(
            {
                "customer_id": ["ann", "bob"],
                "occurred_at": [at(8), at(8)],
                "is_counted": [True, False],
                "is_active": [False, True],
                "is_conversion": [True, False],
            }
        )
    )

    weeks = weekly_retention(customers, events, time_zone="UTC", horizon=at(14)).collect()

    assert weeks["returned"].to_list() == [2, 1, None]


def test_weeks_begin_on_monday_in_the_report_time_zone():
    customers = CORE_CUSTOMERS.conform(
        pl.LazyFrame({"customer_id": ["ann"], "first_purchase_at": [datetime(2026, 1, 11, 23, 30, tzinfo=UTC)]})
    )
    nothing = CORE_EVENTS.empty().lazy()

    weeks = weekly_retention(customers, nothing, time_zone="Europe/Berlin", horizon=at(14)).collect()

    assert weeks["cohort_week"].unique().to_list() == [date(2026, 1, 12)]


def test_retention_of_nobody_keeps_its_contract():
    weeks = weekly_retention(CORE_CUSTOMERS.empty().lazy(), CORE_EVENTS.empty().lazy(), time_zone="UTC", horizon=None)

    assert MART_RETENTION.check(weeks.collect()).is_empty()


# ---------------------------------------------------------------- the rules


def test_a_bucket_after_the_horizon_is_empty_and_not_zero():
    assert counted(daily(moments(("ann", 0)), moments(), horizon=at(1.5))) == [(0, 1, 1), (1, 1, None)]


def test_a_period_that_ends_at_the_horizon_is_whole():
    assert counted(daily(moments(("ann", 0)), moments(), horizon=at(2)))[1] == (1, 1, 0)


def test_recurring_counts_a_unit_in_each_cohort_and_first_time_only_in_its_first():
    seen = moments(("ann", 0), ("ann", 1))

    recurring = daily(seen, seen).filter(pl.col("bucket_from") == 0).collect()
    first_time = daily(seen, seen, kind="first_time").filter(pl.col("bucket_from") == 0).collect()

    assert (recurring.height, first_time.height) == (2, 1)


def test_on_or_after_counts_whoever_came_back_then_or_later():
    returns = moments(("ann", 2.5), ("bob", 1.5))

    found = daily(moments(("ann", 0), ("bob", 0)), returns, horizon=at(4), buckets=[(1, None), (2, None)])

    assert counted(found) == [(1, 2, 2), (2, 2, 1)]


def test_a_bracket_counts_each_unit_once():
    returns = moments(("ann", 1.5), ("ann", 2.5), ("bob", 3.5))

    found = daily(moments(("ann", 0), ("bob", 0)), returns, horizon=at(8), buckets=[(1, 2), (3, 7)])

    assert counted(found) == [(1, 2, 1), (3, 2, 1)]


def test_coming_back_may_ask_for_several_events_in_one_period():
    returns = moments(("ann", 1.1), ("ann", 1.2), ("bob", 1.1))

    assert counted(daily(moments(("ann", 0), ("bob", 0)), returns, minimum=2))[1] == (1, 2, 1)


def test_the_order_of_rows_changes_nothing():
    starts, returns = moments(("ann", 0), ("bob", 1)), moments(("ann", 2), ("bob", 2))

    assert_frame_equal(daily(starts, returns).collect(), daily(starts.reverse(), returns.reverse()).collect())


@pytest.mark.parametrize("period", ["hour", "day", "week", "sunday_week", "month"])
def test_a_period_starts_at_or_before_its_instants(period):
    instants = pl.DataFrame({"at": [MONDAY + timedelta(hours=7 * step) for step in range(200)]})

    number = period_number(pl.col("at"), period=period, time_zone="UTC")
    found = instants.select(local=pl.col("at").dt.replace_time_zone(None), start=period_start(number, period=period))

    assert (found["start"] <= found["local"]).all()
