"""Sales: what became of the deals and leads of the CRM, and how likely each end is as time goes by."""

from datetime import datetime, timedelta

import polars as pl

from transforms.contracts import MART_COMPETING_OUTCOMES, MART_SALES_OUTCOMES, TIME
from transforms.predicates import json_property
from transforms.statistics import competing_outcomes, exported

DAY = timedelta(days=1) // timedelta(microseconds=1)
RECORD = ("object", "source", "record_id")
CLOSINGS = {"deal_won": "won", "deal_lost": "lost", "lead_converted": "won"}
LEAD_STATE = "lead_stage_entered"
LOST_LEAD = r"(?i)\b(?:unqualified|disqualified|not converted|lost|dead|rejected)\b"
NOT_GIVEN = "(not given)"
OPEN = "open"


def sales_outcomes(events: pl.LazyFrame, *, horizon: datetime | None) -> pl.LazyFrame:
    """What became of each deal and lead.

    In:  CORE_EVENTS; `horizon`, the newest instant up to which the sources are complete.
    Out: MART_SALES_OUTCOMES in order of its key.

    A record begins with its first event. Of several closings (it was opened again) the last counts.
    """
    known = pl.col("occurred_at") <= pl.lit(horizon, dtype=TIME)
    concerned = pl.col("is_counted") & pl.col("object").is_in(["deal", "lead"]) & pl.col("record_id").is_not_null()
    has_value = pl.col("value_minor").is_not_null()
    value_rank = pl.when(has_value).then(pl.col("closing").is_not_null().cast(pl.Int8))
    records = (
        events.filter(known & concerned)
        .with_columns(closing=_closing(), reason=json_property("lost_reason"))
        .sort("occurred_at", "seq", "source", "event_id", nulls_last=True)
        .group_by(RECORD, maintain_order=True)
        .agg(
            pl.col("customer_id").first(),
            pl.col("account_id").drop_nulls().last(),
            started_at=pl.col("occurred_at").first(),
            ended_at=pl.col("occurred_at").filter(pl.col("closing").is_not_null()).last(),
            outcome=pl.col("closing").drop_nulls().last(),
            last_state=pl.col("state").drop_nulls().last(),
            reason=pl.col("reason").drop_nulls().last(),
            value_minor=pl.col("value_minor").filter(has_value & (value_rank == value_rank.max())).last(),
            currency=pl.col("currency").filter(has_value & (value_rank == value_rank.max())).last(),
        )
    )
    is_lost = (pl.col("outcome") == "lost").fill_null(False)
    waited = pl.coalesce("ended_at", pl.lit(horizon, dtype=TIME)) - pl.col("started_at")
    return MART_SALES_OUTCOMES.conform(
        records.with_columns(
            outcome=pl.col("outcome").fill_null(OPEN),
            lost_reason=pl.when(is_lost).then(pl.col("reason").fill_null(NOT_GIVEN)),
            days=exported(waited.dt.total_microseconds() / DAY),
        ).sort(RECORD)
    )


def outcome_curves(sales: pl.LazyFrame, *, horizon: datetime | None) -> pl.LazyFrame:
    """The shares of deals and leads won and lost by the days since they began.

    In:  MART_SALES_OUTCOMES, and the horizon it was made with.
    Out: MART_COMPETING_OUTCOMES in order of its key; nothing for an outcome that nobody had.

    Times are exact; a row is the end of a day after the start on which something happened. Source: semantics.md §10.
    """
    until = pl.coalesce("ended_at", pl.lit(horizon, dtype=TIME))
    is_open = pl.col("outcome") == OPEN
    times = sales.select(
        "object",
        waited=(until - pl.col("started_at")).dt.total_microseconds(),
        outcome=pl.when(~is_open).then("outcome"),
    )
    totals = sales.group_by("object").agg(records=pl.len().cast(pl.Int64), open=is_open.sum().cast(pl.Int64))
    day = -(-pl.col("waited") // DAY)
    counted = (
        times.filter(pl.col("outcome").is_not_null())
        .group_by("object", "outcome", day=day)
        .agg(events=pl.len().cast(pl.Int64))
        .with_columns(happened=pl.col("events").cum_sum().over("object", "outcome", order_by="day"))
    )
    shares = (
        competing_outcomes(times, by=["object"]).group_by("object", "outcome", day=day).agg(share=pl.col("share").max())
    )
    found = counted.join(shares, on=["object", "outcome", "day"]).join(totals, on="object")
    return MART_COMPETING_OUTCOMES.conform(found.sort("object", "outcome", "day"))


def _closing() -> pl.Expr:
    """won or lost for an event that closes its record, else null."""
    is_lost_lead = (pl.col("event") == LEAD_STATE) & pl.col("state").str.contains(LOST_LEAD)
    return (
        pl.when(is_lost_lead.fill_null(False))
        .then(pl.lit("lost"))
        .otherwise(pl.col("event").replace_strict(CLOSINGS, default=None, return_dtype=pl.String))
    )
