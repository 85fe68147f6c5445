"""Line items: rows that together are one event, such as the lines of a basket."""

import polars as pl

from transforms.contracts import CANONICAL
from transforms.hashing import fast_key
from transforms.mapping import Group


def grouped_events(lines: pl.LazyFrame, *, group: Group) -> pl.LazyFrame:
    """One event per group of line items.

    In:  RAW_LINE_ITEMS of whole groups, in any order; `event_id` is the group.
    Out: canonical events, one per (source, event_id).

    Fields under sum, min and max are aggregates over the lines; the others are those of the first line by
    (occurred_at, seq, row_key) that has one.
    """
    sums, least, greatest = _columns(group.sum), _columns(group.min), _columns(group.max)
    keys = ("source", "event_id")
    aggregates = [
        pl.when(pl.col(name).count() > 0).then(pl.col(name).sum())
        if name in sums
        else pl.col(name).min()
        if name in least
        else pl.col(name).max()
        if name in greatest
        else pl.col(name).drop_nulls().first()
        for name in (column.name for column in CANONICAL)
        if name not in (*keys, "row_key")
    ]
    return (
        lines.sort("source", "event_id", "occurred_at", "seq", "row_key")
        .group_by(keys, maintain_order=True)
        .agg(aggregates)
        .with_columns(row_key=fast_key("source", "event_id"))
        .select(column.name for column in CANONICAL)
    )


def _columns(fields: tuple[str, ...]) -> frozenset[str]:
    """The stored columns of fields: money is kept in minor units."""
    return frozenset("value_minor" if name == "value" else name for name in fields)
