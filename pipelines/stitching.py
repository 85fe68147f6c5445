"""Stitching: what it does to the headline rates, counted over buckets of whole customers."""

from collections.abc import Iterator
from itertools import pairwise

import polars as pl

from pipelines.night import Night
from pipelines.warehouse import Connection, lazily, scalar, sql_text
from transforms.identity_health import added, headline_funnel, sensitivity_columns, stitching_effect


def effect_of_stitching(night: Night) -> pl.DataFrame:
    """By how much the counts of the headline rates change when all customers are taken apart, as `stitching_effect` says.

    Customers of a single browser are the same both ways, so only the others are read.
    """
    journey, funnel = night.journey, headline_funnel(night.journey)
    horizons = night.funnel_horizons([funnel] if funnel else [])
    effects = []
    with night.warehouse.opened() as connection:
        for events in _buckets(connection, room=night.configuration.engine.bucket_rows):
            read = events.select(sensitivity_columns(journey)).collect().lazy()
            effect = stitching_effect(
                read,
                journey=journey,
                funnel_horizon=horizons[funnel.name] if funnel else None,
                stage_horizon=night.stage_horizon(),
            )
            effects.append(effect.collect().lazy())
    return added(effects).collect()


def _buckets(connection: Connection, *, room: int) -> Iterator[pl.LazyFrame]:
    """The events of customers of several browsers, so many whole customers at a time."""
    count = max(1, -(-scalar(connection, "SELECT count(*) FROM core.events") // room))
    edges = ["", *(f"{number * 16**8 // count:08x}" for number in range(1, count)), "g"]
    for low, high in pairwise(edges):
        yield lazily(connection, sql_text("core/events_of_several_visitors.sql"), {"low": low, "high": high})
