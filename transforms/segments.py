"""Segments: the named groups of customers of journey.yaml."""

from collections.abc import Callable, Sequence

import polars as pl

from transforms.contracts import CORE_CUSTOMER_SEGMENTS, CORE_CUSTOMERS
from transforms.journey import Segment, When
from transforms.predicates import where_expr

Matches = Callable[[When], pl.Expr]


def customer_segments(
    customers: pl.LazyFrame, events: pl.LazyFrame, *, segments: Sequence[Segment], matches: Matches
) -> pl.LazyFrame:
    """Which segments each customer is in.

    In:  CORE_CUSTOMERS, CORE_EVENTS of the same customers; `matches` reads a rule's `when` (transforms/stages.py).
    Out: CORE_CUSTOMER_SEGMENTS, ordered by its key.

    A customer is in a segment when its row passes `customer`, some counted event passes each of `did`, and none passes
    any of `did_not`. A segment that asks nothing holds everybody.

    Raises ValueError for a property that core.customers does not have.
    """
    members = [_members(customers, events, segment, matches) for segment in segments]
    if not members:
        return CORE_CUSTOMER_SEGMENTS.empty().lazy()
    return CORE_CUSTOMER_SEGMENTS.conform(pl.concat(members).sort("segment", "customer_id"))


def _members(customers: pl.LazyFrame, events: pl.LazyFrame, segment: Segment, matches: Matches) -> pl.LazyFrame:
    found = customers.filter(where_expr(segment.customer, lambda name: _column(name, segment)))
    counted = events.filter("is_counted")
    for when in segment.did:
        found = found.join(counted.filter(matches(when)), on="customer_id", how="semi")
    for when in segment.did_not:
        found = found.join(counted.filter(matches(when)), on="customer_id", how="anti")
    return found.select("customer_id", segment=pl.lit(segment.name))


def _column(name: str, segment: Segment) -> pl.Expr:
    """A column of core.customers as text; times as ISO 8601, so that they compare with dates."""
    if name not in CORE_CUSTOMERS.schema:
        known = ", ".join(CORE_CUSTOMERS.schema)
        raise ValueError(f"segment '{segment.name}' asks for the property '{name}', but customers only have: {known}")
    if isinstance(CORE_CUSTOMERS.schema[name], pl.Datetime):
        return pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S")
    return pl.col(name).cast(pl.String)
