"""Identity health: what in the stitching a person should look at."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from transforms.contracts import MART_IDENTITY_BRIDGES, MART_IDENTITY_SENSITIVITY
from transforms.conversion import stage_conversion
from transforms.funnel_stream import columns_needed
from transforms.funnels import funnel_entrants
from transforms.hashing import SEPARATOR
from transforms.identity import ENDS, IDENTIFIER
from transforms.journey import Funnel, Journey
from transforms.kernels import changed
from transforms.stages import ENTRY_INPUT, entering_places, stage_entries, stage_number

SMALLEST_PART = 2
RATE = ("figure", "subject", "target")
COUNTS = ("entered", "reached")

Numbers = NDArray[Any]


def identity_bridges(edges: pl.LazyFrame, identity_map: pl.LazyFrame) -> pl.LazyFrame:
    """List the pairs of identifiers on which a customer hangs: without one, two groups of two or more fall apart.

    In:  CORE_IDENTITY_EDGES with status; CORE_IDENTITY_MAP.
    Out: MART_IDENTITY_BRIDGES, in order of its key. Edges of one pair count as one tie, for they are taken apart together.
    """
    size = pl.len().over("customer_id")
    crowd = identity_map.filter(pl.col("customer_id").is_not_null()).filter(size >= 2 * SMALLEST_PART)
    nodes = crowd.select(*IDENTIFIER, "customer_id", size=size).sort(IDENTIFIER).with_row_index("node").collect()
    strongest = pl.struct("strength", pl.col("occurred_at").is_null().alias("is_undated"), "occurred_at", "edge_id")
    pairs = (
        edges.filter(pl.col("status") == "applied")
        .group_by(ENDS)
        .agg(
            edge_id=pl.col("edge_id").min_by(strongest),
            kinds=pl.col("kind").unique().sort().str.join(", "),
            evidence_count=pl.col("evidence_count").sum(),
        )
        .join(nodes.lazy().rename(dict(zip(IDENTIFIER, ENDS[:2], strict=True))), on=ENDS[:2])
        .join(
            nodes.lazy().select(*IDENTIFIER, other="node").rename(dict(zip(IDENTIFIER, ENDS[2:], strict=True))),
            on=ENDS[2:],
        )
        .sort(ENDS)
        .collect()
    )
    beyond = split_sizes(pairs["node"].to_numpy(), pairs["other"].to_numpy(), count=nodes.height)
    split = pairs.lazy().with_columns(to_identifiers=pl.Series(beyond, dtype=pl.UInt32))
    sides = split.with_columns(from_identifiers=pl.col("size") - pl.col("to_identifiers"))
    found = sides.filter(pl.min_horizontal("from_identifiers", "to_identifiers") >= SMALLEST_PART)
    return MART_IDENTITY_BRIDGES.conform(found).sort("customer_id", *ENDS)


def split_sizes(left: Numbers, right: Numbers, *, count: int) -> Numbers:
    """How many nodes each edge has on its right if it alone holds two parts together; 0 for one that does not, or holds one node.

    In: the ends of distinct edges between nodes numbered from 0 to `count`, without loops. Time linear in both.
    """
    degree = np.bincount(left, minlength=count) + np.bincount(right, minlength=count)
    is_leaf = degree == 1
    weight = np.ones(count, dtype=np.int64)
    np.add.at(weight, left[is_leaf[right]], 1)
    np.add.at(weight, right[is_leaf[left]], 1)
    inner = np.flatnonzero(~is_leaf[left] & ~is_leaf[right])
    sizes = np.zeros(len(left), dtype=np.int64)
    if len(inner):
        known, places = np.unique(np.concatenate([left[inner], right[inner]]), return_inverse=True)
        near, far = places[: len(inner)].tolist(), places[len(inner) :].tolist()
        sizes[inner] = _sizes_beyond(near, far, weight[known].tolist())
    return sizes


def _sizes_beyond(near: list[int], far: list[int], weight: list[int]) -> list[int]:
    """The weight on the far side of every bridge, 0 for other edges: Tarjan's low links over a depth-first search.

    In: the ends of edges; the weight of every node.
    """
    adjacent: list[list[tuple[int, int]]] = [[] for _ in weight]
    for edge, (one, other) in enumerate(zip(near, far, strict=True)):
        adjacent[one].append((other, edge))
        adjacent[other].append((one, edge))
    order, above, by = _depth_first(adjacent)
    place = [0] * len(weight)
    for number, node in enumerate(order):
        place[node] = number
    low, below = place.copy(), weight.copy()
    for node in reversed(order):
        ways = [low[other] if by[other] == edge else place[other] for other, edge in adjacent[node] if edge != by[node]]
        low[node] = min(low[node], *ways) if ways else low[node]
        if above[node] >= 0:
            below[above[node]] += below[node]
    beyond, whole = [0] * len(near), below.copy()
    for node in order:
        if above[node] >= 0:
            whole[node] = whole[above[node]]
            if low[node] == place[node]:
                beyond[by[node]] = below[node] if far[by[node]] == node else whole[node] - below[node]
    return beyond


def _depth_first(adjacent: list[list[tuple[int, int]]]) -> tuple[list[int], list[int], list[int]]:
    """Nodes in the order of a depth-first search; the node above each, and the edge that leads to it (-1 for a root)."""
    order: list[int] = []
    above, by, is_seen = [-1] * len(adjacent), [-1] * len(adjacent), [False] * len(adjacent)
    for root in range(len(adjacent)):
        waiting = [(root, -1, -1)]
        while waiting:
            node, parent, edge = waiting.pop()
            if is_seen[node]:
                continue
            is_seen[node], above[node], by[node] = True, parent, edge
            order.append(node)
            waiting += [(other, node, way) for other, way in adjacent[node] if not is_seen[other]]
    return order, above, by


# ---------------------------------------------------------------- what stitching does to the rates


def headline_funnel(journey: Journey) -> Funnel | None:
    """The first funnel of the journey that counts customers."""
    return next((funnel for funnel in journey.funnels if funnel.unit == "customer"), None)


def sensitivity_columns(journey: Journey) -> list[str]:
    """The columns of core.events that `stitching_effect` reads."""
    funnel = headline_funnel(journey)
    return sorted({*ENTRY_INPUT, "visitor_id", *(columns_needed(funnel) if funnel else ())})


def stitching_effect(
    events: pl.LazyFrame, *, journey: Journey, funnel_horizon: datetime | None, stage_horizon: datetime | None
) -> pl.LazyFrame:
    """By how much the counts of the headline rates change when customers are taken apart.

    In:  `sensitivity_columns` of core.events of whole customers, in any order.
    Out: figure, subject, target, entered, reached: the differences, one row per rate; in no order.

    Taken apart, each browser or device of a customer is a unit of its own, and what carries none is one more.
    """
    visitor = pl.col("visitor_id").fill_null("")
    alone = events.with_columns(customer_id=pl.concat_str("customer_id", visitor, separator=SEPARATOR))
    together, apart = (
        _rate_counts(units, journey, funnel_horizon=funnel_horizon, stage_horizon=stage_horizon)
        for units in (events, alone)
    )
    taken_off = together.with_columns(-pl.col(COUNTS))
    return added([apart, taken_off])


def added(parts: Iterable[pl.LazyFrame]) -> pl.LazyFrame:
    """Counts of the same rates, added up. In and out: figure, subject, target, entered, reached."""
    return pl.concat(list(parts)).group_by(RATE).agg(pl.col(COUNTS).sum())


def identity_sensitivity(
    entrants: pl.LazyFrame, conversion: pl.LazyFrame, effect: pl.LazyFrame, *, journey: Journey
) -> pl.LazyFrame:
    """The headline rates with stitching and without.

    In:  MART_FUNNEL_ENTRANTS; MART_STAGE_CONVERSION; the effects of all customers, added up.
    Out: MART_IDENTITY_SENSITIVITY, the funnel first, then stage by stage.
    """
    funnel = headline_funnel(journey)
    whole = [_stage_counts(conversion)]
    if funnel is not None:
        whole.insert(0, _funnel_counts(entrants.filter(pl.col("funnel") == funnel.name), funnel))
    place = {name: number for number, name in enumerate(journey.stage_names)}
    rates = (
        pl.concat(whole)
        .join(effect.rename({name: f"more_{name}" for name in COUNTS}), on=RATE, how="left")
        .with_columns(
            **{f"alone_{name}": pl.col(name) + pl.col(f"more_{name}").fill_null(0) for name in COUNTS},
            place=pl.col("subject").replace_strict(place, default=-1, return_dtype=pl.Int64),
        )
        .with_columns(rate=_share("reached", "entered"), alone_rate=_share("alone_reached", "alone_entered"))
        .filter((pl.col("entered") > 0) | (pl.col("alone_entered") > 0))
    )
    return MART_IDENTITY_SENSITIVITY.conform(rates.sort("figure", "place"))


def _share(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))


def _rate_counts(
    events: pl.LazyFrame, journey: Journey, *, funnel_horizon: datetime | None, stage_horizon: datetime | None
) -> pl.LazyFrame:
    """The counts of the headline rates over some customers, or parts of them."""
    funnel = headline_funnel(journey)
    entries = stage_entries(_with_entries(events, journey), journey=journey)
    counts = [_stage_counts(stage_conversion(entries, journey=journey, horizon=stage_horizon))]
    if funnel is not None:
        plain = funnel.model_copy(update={"breakdowns": (), "time_zone": journey.time_zone})
        counts.append(_funnel_counts(funnel_entrants(events, plain, horizon=funnel_horizon), funnel))
    return pl.concat(counts)


def _with_entries(events: pl.LazyFrame, journey: Journey) -> pl.LazyFrame:
    """Mapped events, with is_stage_entry as it is for the customers at hand."""
    ordered = (
        events.filter(pl.col("is_counted") & pl.col("stage").is_not_null())
        .sort("customer_id", "event_number")
        .with_columns(
            place=pl.int_range(pl.len(), dtype=pl.UInt32),
            customer=pl.col("customer_id").rle_id(),
            moment=changed(["customer_id", "occurred_at", "time_precision"]).cum_sum(),
            stage_number=stage_number(journey),
        )
        .collect()
    )
    enters = pl.repeat(False, ordered.height, eager=True).scatter(entering_places(ordered), True)
    return ordered.with_columns(is_stage_entry=enters).lazy()


def _funnel_counts(entrants: pl.LazyFrame, funnel: Funnel) -> pl.LazyFrame:
    """Of the counted attempts of a funnel, how many went all the way."""
    return entrants.filter("is_counted").select(
        figure=pl.lit("funnel"),
        subject=pl.lit(funnel.name),
        target=pl.lit(funnel.steps[-1].label),
        entered=pl.len().cast(pl.Int64),
        reached=(pl.col("status") == "converted").sum().cast(pl.Int64),
    )


def _stage_counts(conversion: pl.LazyFrame) -> pl.LazyFrame:
    """Of those who entered a stage, how many reached the next one so far."""
    is_next = pl.col("to_stage_number") == pl.col("from_stage_number") + 1
    return conversion.filter(is_next).select(
        figure=pl.lit("stage"),
        subject="from_stage",
        target="to_stage",
        entered=pl.col("entered").cast(pl.Int64),
        reached=pl.col("reached").cast(pl.Int64),
    )
