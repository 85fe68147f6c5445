from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from transforms.contracts import CORE_EVENTS, MART_COMPETING_OUTCOMES, MART_SALES_OUTCOMES
from transforms.sales import outcome_curves, sales_outcomes

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return DAY_0 + timedelta(days=number)


def states(*rows: tuple[str, str, float], object: str = "deal", **columns: object) -> pl.LazyFrame:
    """CORE_EVENTS of (record, event, day)."""
    frame = pl.LazyFrame(
        [
            {"record_id": record, "event": event, "occurred_at": day(at), "event_id": f"{record}{number}", **columns}
            for number, (record, event, at) in enumerate(rows)
        ]
    )
    return CORE_EVENTS.conform(
        frame.with_columns(object=pl.lit(object), source=pl.lit("crm"), customer_id=pl.lit("ann"), is_counted=True)
    )


def told(events: pl.LazyFrame, *columns: str, until: float = 30) -> list[tuple]:
    return MART_SALES_OUTCOMES.check(sales_outcomes(events, horizon=day(until)).collect()).select(columns).rows()


def test_a_deal_is_won_or_lost_by_its_closing_and_else_open():
    events = states(
        ("a", "deal_created", 0), ("a", "deal_stage_entered", 2), ("a", "deal_won", 5.5),
        ("b", "deal_created", 1), ("b", "deal_lost", 3),
        ("c", "deal_stage_entered", 10),
    )  # fmt: skip

    found = told(events, "record_id", "outcome", "started_at", "ended_at", "days")

    assert found == [
        ("a", "won", day(0), day(5.5), 5.5),
        ("b", "lost", day(1), day(3), 2.0),
        ("c", "open", day(10), None, 20.0),
    ]


def test_a_deal_that_was_opened_again_ends_with_its_last_closing():
    events = states(("a", "deal_created", 0), ("a", "deal_lost", 3), ("a", "deal_won", 9))

    assert told(events, "outcome", "days", "lost_reason") == [("won", 9.0, None)]


def test_a_closing_after_the_horizon_is_not_known_yet():
    events = states(("a", "deal_created", 0), ("a", "deal_won", 9), ("b", "deal_created", 8))

    assert told(events, "record_id", "outcome", "days", until=5) == [("a", "open", 5.0)]


def test_the_reason_of_a_loss_is_that_of_the_record():
    given = states(("a", "deal_created", 0), ("a", "deal_lost", 3), properties='{"lost_reason":"price"}')
    silent = states(("b", "deal_created", 0), ("b", "deal_lost", 3))

    found = told(pl.concat([given, silent]), "record_id", "lost_reason")

    assert found == [("a", "price"), ("b", "(not given)")]


@pytest.mark.parametrize(
    ("event", "state", "outcome"),
    [
        ("lead_converted", "converted", "won"),
        ("lead_stage_entered", "Unqualified", "lost"),
        ("lead_stage_entered", "Closed - Not Converted", "lost"),
        ("lead_stage_entered", "Working", "open"),
    ],
)
def test_a_lead_is_won_when_it_converts_and_lost_in_a_state_that_says_so(event, state, outcome):
    begun = states(("l", "lead_created", 0), object="lead", state="New")
    later = states(("l", event, 2), object="lead", state=state).with_columns(event_id=pl.lit("l9"))

    assert told(pl.concat([begun, later]), "outcome", "last_state") == [(outcome, state)]


def test_the_shares_of_won_and_lost_are_those_of_aalen_and_johansen():
    events = states(
        *((record, "deal_created", 0) for record in "abc"), ("d", "deal_created", 28), ("e", "deal_created", 0),
        ("a", "deal_won", 1), ("b", "deal_lost", 2), ("c", "deal_won", 2.5), ("e", "deal_won", 4),
    )  # fmt: skip
    records = sales_outcomes(events, horizon=day(30))

    found = MART_COMPETING_OUTCOMES.check(outcome_curves(records, horizon=day(30)).collect())

    assert found.rows() == [
        ("deal", "lost", 2, 5, 1, 1, 0.2),
        ("deal", "won", 1, 5, 1, 1, 0.2),
        ("deal", "won", 3, 5, 2, 1, 0.5),
        ("deal", "won", 4, 5, 3, 1, 0.8),
    ]


def test_without_deals_there_are_no_outcomes():
    records = sales_outcomes(CORE_EVENTS.empty().lazy(), horizon=None)

    assert records.collect().is_empty()
    assert outcome_curves(records, horizon=None).collect().is_empty()
