"""Adoption: how soon purchasers reach each contact after their first conversion."""

from datetime import datetime, timedelta

import polars as pl

from transforms.contracts import MART_ADOPTION, TIME
from transforms.conversion import QUARTILES, quartile_days
from transforms.predicates import json_property
from transforms.statistics import kaplan_meier

FIRST_DAYS = timedelta(days=90)
MILESTONE = ("stage", "phase", "touchpoint", "step")


def adoption(customers: pl.LazyFrame, events: pl.LazyFrame, *, horizon: datetime | None) -> pl.LazyFrame:
    """How soon purchasers reach each contact after their first conversion.

    In:  CORE_CUSTOMERS, CORE_EVENTS of the purchasers; `horizon`, up to which the sources are complete.
    Out: MART_ADOPTION in order of its key; only contacts that somebody had after the first conversion.

    Who has not had the contact is watched to the horizon, at most 90 days: the slow count as slow.
    """
    until = pl.lit(horizon, dtype=TIME)
    begun = customers.select("customer_id", began_at="first_purchase_at").filter(pl.col("began_at") <= until)
    had = (
        events.filter(pl.col("is_counted") & pl.col("touchpoint").is_not_null() & (pl.col("occurred_at") <= until))
        .select("customer_id", "occurred_at", "stage", "phase", "touchpoint", step=json_property("step"))
        .join(begun, on="customer_id")
        .filter(pl.col("occurred_at") > pl.col("began_at"))
        .group_by("customer_id", *MILESTONE)
        .agg(reached_at=pl.col("occurred_at").min())
    )
    closes = pl.col("began_at") + FIRST_DAYS
    is_event = (pl.col("reached_at") <= closes).fill_null(False)
    watched_until = pl.when(is_event).then("reached_at").otherwise(pl.min_horizontal(closes, until))
    steps = (
        begun.join(had.select(MILESTONE).unique(), how="cross")
        .join(had, on=["customer_id", *MILESTONE], how="left", nulls_equal=True)
        .select(
            *MILESTONE,
            is_event=is_event,
            is_closed=closes <= until,
            waited=(watched_until - pl.col("began_at")).dt.total_microseconds(),
        )
    )
    counts = steps.group_by(MILESTONE).agg(
        purchasers=pl.len(),
        reached=pl.col("is_event").sum(),
        matured_purchasers=pl.col("is_closed").sum(),
        matured_reached=(pl.col("is_closed") & pl.col("is_event")).sum(),
    )
    at = FIRST_DAYS // timedelta(microseconds=1)
    curve = kaplan_meier(steps, by=MILESTONE, at=at, quantiles=tuple(QUARTILES.values()))
    found = counts.join(curve, on=MILESTONE, nulls_equal=True).with_columns(**quartile_days())
    return MART_ADOPTION.conform(found.rename({"projected_rate": "projected_share"}).sort(MILESTONE))
