"""What product teams ask for, in SQL: each view of sql/mart by one rule a test, on rows written by hand."""

import pytest

from pipelines.warehouse import Connection
from tests.test_sql import Row, customer, day, put, rows
from tests.test_sql import connection as connection
from tests.test_sql import warehouse as warehouse


def horizon(connection: Connection, at: float, *, source: str = "web", in_journey: bool = True) -> None:
    put(connection, "mart.horizons", {"source": source, "horizon": day(at), "is_in_journey": in_journey})


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
