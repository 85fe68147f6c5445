"""Alerts: which figures lie beyond the limits of journey.yaml, and since when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import polars as pl
from pydantic import Field, model_validator

from transforms.contracts import OPS_ALERTS, TIME
from transforms.journey import Entry
from transforms.statistics import exported, rate, wilson

KEY = ("metric", "subject")


class Alert(Entry):
    """A limit of a figure, and who is told when the figure goes beyond it."""

    metric: Literal["funnel_rate", "kpi", "quarantined_share"] = Field(
        description="funnel_rate: who converted of who entered, over the newest 28 entry days whose windows have closed; "
        "kpi: a figure of `kpis:`; quarantined_share: rows kept aside of all rows of a source."
    )
    of: str = Field(description="The funnel, the kpi as 'stage.metric', or the source.")
    below: float | None = Field(None, ge=0, le=1, description="Told when the figure is less.")
    above: float | None = Field(None, ge=0, le=1, description="Told when the figure is more.")
    judged_by: Literal["interval", "value"] = Field(
        "interval",
        description="interval: only when the whole 95 % interval lies beyond the limit; value: the figure alone.",
    )
    owner: str = ""

    @model_validator(mode="after")
    def _one_limit(self) -> "Alert":
        if (self.below is None) == (self.above is None):
            raise ValueError("an alert has either `below` or `above`")
        return self


def judge_alerts(figures: pl.LazyFrame, before: pl.LazyFrame, *, alerts: Sequence[Alert], at: datetime) -> pl.LazyFrame:
    """Hold figures against their limits.

    In:  figures: metric, subject, numerator, denominator, one row per figure; before: OPS_ALERTS of the run before; `at` is
         when this run began.
    Out: OPS_ALERTS, a row per alert that has a figure, in order of (metric, subject, limit). An alert that was crossed before keeps
         its `since`; one that is crossed now and was not, or the other way round, is news.
    """
    rows = [
        {"metric": each.metric, "subject": each.of, "direction": "below" if each.above is None else "above",
         "limit": each.below if each.above is None else each.above, "judged_by": each.judged_by, "owner": each.owner}
        for each in alerts
    ]  # fmt: skip
    schema = {
        name: OPS_ALERTS.schema[name] for name in ("metric", "subject", "direction", "limit", "judged_by", "owner")
    }
    low, high = wilson("numerator", "denominator")
    near = pl.when(pl.col("judged_by") == "value").then("value")
    is_crossed = (
        pl.when(pl.col("direction") == "below")
        .then(near.otherwise("high") < pl.col("limit"))
        .otherwise(near.otherwise("low") > pl.col("limit"))
        .fill_null(False)
    )
    key = [*KEY, "direction", "limit"]
    last = before.select(*key, was_crossed="is_crossed", was_since="since").unique(key)
    told = (
        pl.LazyFrame(rows, schema=schema)
        .join(figures, on=KEY)
        .with_columns(value=rate("numerator", "denominator"), low=low, high=high)
        .with_columns(is_crossed=is_crossed)
        .join(last, on=key, how="left")
        .with_columns(is_news=pl.col("is_crossed") != pl.col("was_crossed").fill_null(False))
    )
    since = pl.when("is_news").then(pl.lit(at, TIME)).otherwise("was_since")
    judged = told.with_columns(since=since, **{name: exported(pl.col(name)) for name in ("value", "low", "high")})
    return OPS_ALERTS.conform(judged).sort(key)
