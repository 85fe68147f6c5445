"""Drop-offs: who went no further than a step of a funnel, when, and what they did instead."""

from datetime import datetime

import polars as pl
import polars.selectors as cs

from transforms.contracts import TIME
from transforms.funnel_answer import ordered_times, time_of
from transforms.funnel_stream import counted_events, micros
from transforms.journey import Funnel

SHOWN = 5
ORDER = ("occurred_at", "source", "event_id")
ATTEMPT = ("unit_id", "entered_at", "entry_source", "entry_event_id")


def drop_offs(
    events: pl.LazyFrame, entrants: pl.DataFrame, funnel: Funnel, *, step: int, horizon: datetime | None
) -> pl.DataFrame:
    """The counted attempts that went no further than a step: as many as the answer's `dropped` and `excluded` there.

    In:  columns of core.events, as for the funnel itself, with or without source; MART_FUNNEL_ENTRANTS; a step from 1.
    Out: sorted by dropped_at and unit: unit_id, customer_id, entered_at, dropped_at (when the step was reached), closes_at,
         status (dropped, excluded), last_event and last_event_at (the unit's last event of the window), events_after (how
         many came after the step, in the window), first_after (the first of them), did_instead (the kinds of event after
         the step in the order they first came, the first five).
    """
    stays = pl.col("status").is_in(["dropped", "excluded"]) & (pl.col("depth") == step) & pl.col("is_counted")
    attempts = (
        entrants.filter(stays)
        .with_columns(times=ordered_times(funnel))
        .with_columns(dropped_at=time_of(step))
        .sort("dropped_at", *ATTEMPT, nulls_last=False)
        .with_row_index("attempt")
    )
    seen = events_of_windows(events, attempts, funnel, horizon=horizon)
    latest = (
        seen.sort("attempt", *_order(seen), nulls_last=False)
        .group_by("attempt")
        .agg(last_event=pl.col("event").last(), last_event_at=pl.col("occurred_at").last())
    )
    return (
        attempts.join(latest, on="attempt", how="left")
        .join(_afterwards(seen), on="attempt", how="left")
        .sort("attempt")
        .select(
            "unit_id", "customer_id", "entered_at", "dropped_at", "closes_at", "status", "last_event", "last_event_at",
            pl.col("events_after").fill_null(0), "first_after", "did_instead",
        )
    )  # fmt: skip


def events_of_windows(
    events: pl.LazyFrame, attempts: pl.DataFrame, funnel: Funnel, *, horizon: datetime | None
) -> pl.DataFrame:
    """The events of each attempt's window: attempt, event and its key, and is_after, whether it comes after the step."""
    known = counted_events(events, funnel, horizon=horizon).with_columns(occurred_at=pl.col("at").cast(TIME))
    windows = attempts.select("attempt", "unit_id", "entered_at", "dropped_at", "closes_at", "step_event_ids").lazy()
    end = pl.min_horizontal("closes_at", pl.lit(micros(horizon), dtype=pl.Int64).cast(TIME))
    serves = pl.col("event_id").is_in(pl.col("step_event_ids"))
    in_window = (pl.col("occurred_at") >= pl.col("entered_at")) & (pl.col("occurred_at") <= end).fill_null(True)
    is_after = (pl.col("occurred_at") > pl.col("dropped_at")) | (
        (pl.col("occurred_at") == pl.col("dropped_at")) & ~serves.fill_null(False)
    )
    return (
        known.select("unit_id", "event", cs.by_name(ORDER, require_all=False))
        .join(windows, on="unit_id")
        .filter(in_window)
        .select("attempt", "event", cs.by_name(ORDER, require_all=False), is_after=is_after)
        .collect()
    )


def _order(seen: pl.DataFrame) -> list[str]:
    """What events are told apart by, in order of time; events of one plain file have no source."""
    return [name for name in ORDER if name in seen.columns]


def _afterwards(seen: pl.DataFrame) -> pl.DataFrame:
    """By attempt: events_after, first_after, did_instead."""
    return (
        seen.filter("is_after")
        .sort("attempt", *_order(seen), nulls_last=False)
        .group_by("attempt", maintain_order=True)
        .agg(
            events_after=pl.len(),
            first_after=pl.col("event").first(),
            did_instead=pl.col("event").unique(maintain_order=True).head(SHOWN),
        )
        .with_columns(did_instead=pl.col("did_instead").list.join(" > "))
    )
