from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from pydantic import ValidationError

from transforms.alerts import Alert, judge_alerts
from transforms.contracts import OPS_ALERTS

NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC)
BELOW = Alert(metric="funnel_rate", of="checkout", below=0.3)


def judged(reached, entered, *alerts, before=None, at=NIGHT):
    """ops.alerts for so many who reached the end of the checkout of so many who entered."""
    figures = pl.LazyFrame(
        {"metric": ["funnel_rate"], "subject": ["checkout"], "numerator": [reached], "denominator": [entered]}
    )
    last = OPS_ALERTS.empty() if before is None else before
    return OPS_ALERTS.check(judge_alerts(figures, last.lazy(), alerts=alerts, at=at).collect())


def crossed(reached, entered, *alerts):
    return judged(reached, entered, *alerts)["is_crossed"].to_list()


def test_a_figure_whose_whole_interval_lies_beyond_the_limit_crosses_it():
    assert crossed(200, 1000, BELOW) == [True]


def test_a_figure_that_is_less_by_chance_alone_does_not():
    assert crossed(5, 20, BELOW) == [False]


def test_judged_by_value_the_figure_alone_decides():
    assert crossed(5, 20, BELOW.model_copy(update={"judged_by": "value"})) == [True]


def test_a_figure_at_the_limit_does_not_cross_it():
    by_value = {"metric": "funnel_rate", "of": "checkout", "judged_by": "value"}

    assert crossed(30, 100, Alert(**by_value, below=0.3), Alert(**by_value, above=0.3)) == [False, False]


def test_a_limit_above_is_crossed_from_below():
    assert crossed(500, 1000, Alert(metric="funnel_rate", of="checkout", above=0.3)) == [True]


def test_nobody_entered_crosses_nothing():
    assert crossed(0, 0, BELOW) == [False]


def test_an_alert_without_a_figure_is_left_out():
    assert judged(1, 2, Alert(metric="kpi", of="purchase.stage_reach", below=0.1)).is_empty()


def test_a_crossing_is_news_once_and_keeps_its_beginning():
    first = judged(200, 1000, BELOW)
    second = judged(200, 1000, BELOW, before=first, at=NIGHT + timedelta(days=1))

    assert [frame.select("is_news", "since").row(0) for frame in (first, second)] == [(True, NIGHT), (False, NIGHT)]


def test_a_figure_that_comes_back_is_news_again():
    first = judged(200, 1000, BELOW)
    later = NIGHT + timedelta(days=1)

    assert judged(400, 1000, BELOW, before=first, at=later).select("is_crossed", "is_news", "since").row(0) == (
        False,
        True,
        later,
    )


def test_counts_and_interval_stand_beside_the_figure():
    row = judged(3, 10, BELOW).row(0, named=True)

    assert (row["numerator"], row["denominator"], row["value"]) == (3, 10, 0.3)
    assert (round(row["low"], 3), round(row["high"], 3)) == (0.108, 0.603)


def test_no_alerts_are_no_rows():
    assert judged(1, 2).is_empty()


@pytest.mark.parametrize("limits", [{}, {"below": 0.1, "above": 0.2}])
def test_an_alert_has_one_limit(limits):
    with pytest.raises(ValidationError, match="either `below` or `above`"):
        Alert(metric="funnel_rate", of="checkout", **limits)
