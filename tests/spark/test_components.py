"""Components by alternating stars are those that scipy finds."""

import os
import random
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from pipelines.engines.components import connected_components
from pipelines.engines.spark import environment
from transforms.identity import components

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def spark() -> Iterator[object]:
    from pyspark.sql import SparkSession

    os.environ.update(environment())
    settings = {"spark.sql.shuffle.partitions": "4", "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1"}
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


def drawn(seed: int) -> list[tuple[int, int]]:
    """Edges of a random graph, with a long path, a star, a node tied to itself, repeated and turned edges."""
    draw = random.Random(seed)
    edges = [(draw.randrange(200), draw.randrange(200)) for _ in range(90)]
    path = draw.sample(range(200, 260), 60)
    edges += list(pairwise(path))
    edges += [(300, other) for other in range(301, 340)] + [(400, 400)]
    edges += [(right, left) for left, right in draw.sample(edges, 20)] + draw.sample(edges, 20)
    return edges


@pytest.mark.parametrize("seed", range(4))
def test_the_components_are_those_of_scipy_and_each_is_named_by_its_least_node(spark: object, seed: int) -> None:
    edges = drawn(seed)
    links = spark.createDataFrame(edges, "left long, right long")  # type: ignore[attr-defined]

    found = connected_components(links, keep=lambda frame, _name: frame.localCheckpoint())

    left, right = (pl.Series(np.array(side, dtype=np.int64)) for side in zip(*edges, strict=True))
    nodes = pl.concat([left, right]).unique().sort()
    expected = pl.DataFrame({"node": nodes, "number": components(left, right, count=401).gather(nodes)})
    named = expected.with_columns(component=pl.col("node").min().over("number")).select("node", "component")
    assert sorted((row["node"], row["component"]) for row in found.collect()) == named.rows()
