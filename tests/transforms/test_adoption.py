from datetime import UTC, datetime, timedelta

import polars as pl

from transforms.adoption import adoption
from transforms.contracts import CORE_CUSTOMERS, CORE_EVENTS, MART_ADOPTION

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return DAY_0 + timedelta(days=number)


def purchasers(**bought: float) -> pl.LazyFrame:
    rows = {"customer_id": list(bought), "first_purchase_at": [day(at) for at in bought.values()]}
    return CORE_CUSTOMERS.conform(pl.LazyFrame(rows))


def contacts(*rows: tuple[str, str, float], properties: str | None = None) -> pl.LazyFrame:
    """CORE_EVENTS of (customer, touchpoint, day)."""
    frame = pl.LazyFrame(
        [{"customer_id": who, "touchpoint": name, "occurred_at": day(at)} for who, name, at in rows],
        schema={"customer_id": pl.String, "touchpoint": pl.String, "occurred_at": pl.Datetime("us", "UTC")},
    )
    return CORE_EVENTS.conform(
        frame.with_columns(is_counted=True, stage=pl.lit("use"), properties=pl.lit(properties, dtype=pl.String))
    )


def test_days_to_a_milestone_run_from_the_first_conversion_and_count_in_who_has_not_got_there():
    events = contacts(("ann", "login", -3), ("ann", "login", 2), ("ann", "login", 5), ("bob", "login", 14))

    found = MART_ADOPTION.check(adoption(purchasers(ann=0, bob=10, cai=0), events, horizon=day(20)).collect())

    columns = ("touchpoint", "purchasers", "reached", "quartile_1_days", "median_days", "quartile_3_days")
    assert found.select(columns).rows() == [("login", 3, 2, 2.0, 4.0, None)]


def test_only_the_first_ninety_days_count_inclusive():
    events = contacts(("ann", "login", 90), ("bob", "login", 90.01))

    found = adoption(purchasers(ann=0, bob=0), events, horizon=day(200)).collect()

    counts = ("purchasers", "reached", "matured_purchasers", "matured_reached", "projected_share", "median_days")
    assert found.select(counts).rows() == [(2, 1, 2, 1, 0.5, 90.0)]


def test_steps_of_one_contact_are_milestones_of_their_own():
    events = pl.concat(
        [
            contacts(("ann", "onboarding step", 1), properties='{"step":"import"}'),
            contacts(("ann", "onboarding step", 2), properties='{"step":"training"}'),
            contacts(("ann", "onboarding step", 3)),
        ]
    )

    found = adoption(purchasers(ann=0), events, horizon=day(10)).collect()

    assert found.select("step", "median_days").rows() == [(None, 3.0), ("import", 1.0), ("training", 2.0)]


def test_without_purchasers_there_are_no_milestones():
    assert adoption(purchasers(), contacts(("ann", "login", 1)), horizon=None).collect().is_empty()
