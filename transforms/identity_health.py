"""Identity health: what in the stitching a person should look at."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from transforms.contracts import MART_IDENTITY_BRIDGES
from transforms.identity import ENDS, IDENTIFIER

SMALLEST_PART = 2

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
