"""Per customer: the tables that follow from the timeline of whole customers, each with what it is made of.

An engine fills them bucket by bucket; in the order in which they stand here, each reads only tables that are filled before it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from transforms.attribution import attribution
from transforms.customers import describe_customers
from transforms.events import customer_activity, touches
from transforms.journey import Journey
from transforms.segments import customer_segments
from transforms.sessions import summarise_sessions
from transforms.stages import matches, stage_entries

Transform = Callable[..., pl.LazyFrame]


@dataclass(frozen=True)
class PerCustomer:
    """A transform of whole customers: the tables behind its frames, and which rules of the journey are its other arguments."""

    transform: Transform
    reads: Mapping[str, str]
    rules: Callable[[Journey], Mapping[str, Any]]


def described(
    identity_map: pl.LazyFrame, aliases: pl.LazyFrame, events: pl.LazyFrame, entries: pl.LazyFrame, *, journey: Journey
) -> pl.LazyFrame:
    """CORE_CUSTOMERS of whole customers, by what they did."""
    activity = customer_activity(events, entries, journey=journey)
    return describe_customers(identity_map, aliases, activity, identity=journey.identity)


def _whole(journey: Journey) -> Mapping[str, Any]:
    return {"journey": journey}


def _segments(journey: Journey) -> Mapping[str, Any]:
    return {"segments": journey.segments, "matches": matches}


def _none(_journey: Journey) -> Mapping[str, Any]:
    return {}


PER_CUSTOMER = {
    "core.sessions": PerCustomer(summarise_sessions, {"events": "core.events"}, _whole),
    "core.touches": PerCustomer(touches, {"events": "core.events", "sessions": "core.sessions"}, _whole),
    "core.stage_entries": PerCustomer(stage_entries, {"events": "core.events"}, _whole),
    "core.customers": PerCustomer(
        described,
        {
            "identity_map": "core.identity_map",
            "aliases": "core.customer_aliases",
            "events": "core.events",
            "entries": "core.stage_entries",
        },
        _whole,
    ),
    "core.customer_segments": PerCustomer(
        customer_segments, {"customers": "core.customers", "events": "core.events"}, _segments
    ),
    "mart.attribution": PerCustomer(attribution, {"touches": "core.touches", "events": "core.events"}, _none),
}
