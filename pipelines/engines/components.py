"""Connected components by alternating stars: rounds of a join and a grouping, each over edges that any number of machines share.

Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii: "Connected Components in MapReduce and Beyond", SoCC 2014.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Keep = Callable[["DataFrame", str], "DataFrame"]


def connected_components(links: "DataFrame", *, keep: Keep) -> "DataFrame":
    """The component of every node of a graph.

    In:  left, right (long): an edge a row, in any order; repeated and turned edges, and those of a node with itself, are
         allowed. `keep` makes a frame lasting under a name, so that no round is worked out twice.
    Out: node, component (long): a row per node, with the least node of its component; in no order.
    """
    from pyspark.sql import functions as F

    turned = links.select(F.greatest("left", "right").alias("left"), F.least("left", "right").alias("right"))
    edges = keep(turned.distinct(), "edges")
    pairs, before, number = edges.where("left <> right"), None, 0
    while (now := _content(pairs)) != before:
        number += 1
        pairs, before = keep(_small_star(_large_star(pairs)), f"round {number}"), now
    roots = edges.select(F.col("right").alias("node"), F.col("right").alias("component"))
    alone = roots.join(pairs.select(F.col("left").alias("node")), "node", "left_anti").distinct()
    return pairs.select(F.col("left").alias("node"), F.col("right").alias("component")).union(alone)


def _large_star(pairs: "DataFrame") -> "DataFrame":
    """Every node ties its larger neighbours to the least of its neighbours and itself."""
    from pyspark.sql import functions as F

    both = pairs.union(pairs.select(F.col("right"), F.col("left")))
    least = both.groupBy("left").agg(F.min("right").alias("least"))
    centre = least.select("left", F.least("left", "least").alias("centre"))
    larger = both.where("right > left").join(centre, "left")
    return larger.select(F.col("right").alias("left"), F.col("centre").alias("right")).distinct()


def _small_star(pairs: "DataFrame") -> "DataFrame":
    """Every node ties its smaller neighbours, and itself, to the least of them; edges lead from larger to smaller."""
    from pyspark.sql import functions as F

    centre = pairs.groupBy("left").agg(F.min("right").alias("centre"))
    smaller = pairs.join(centre, "left").select(F.col("right").alias("left"), F.col("centre").alias("right"))
    itself = centre.select("left", F.col("centre").alias("right"))
    return smaller.union(itself).where("left <> right").distinct()


def _content(pairs: "DataFrame") -> tuple[int, int | None]:
    """How many edges there are, and a hash of their set."""
    from pyspark.sql import functions as F

    row = pairs.agg(F.count("*"), F.bit_xor(F.xxhash64("left", "right"))).collect()[0]
    return row[0], row[1]
