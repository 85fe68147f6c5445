"""Connected components of identifiers over millions of edges: the product, scipy alone, and a recursive SQL query.

Usage: python -m benchmarks.components [--rows 1000000 5000000] [--runs 3] [--json]      (peers: the extra `bench`)

The edges tie browsers to people, most of them in small stars, some in longer chains. The answer is the number of components
and the size of the largest; the product is given its ledger of evidence as it comes from the events.
"""

import tempfile
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.side_by_side import alone, arguments, compare, told
from transforms.identity import components

Answer = tuple[int, int]


def edges_file(folder: Path, rows: int, *, seed: int = 1) -> Path:
    """Edges between numbered nodes: left, right."""
    path = folder / f"edges_{rows}.parquet"
    random = np.random.default_rng(seed)
    people = rows // 3 + 1
    star = np.column_stack([random.integers(0, people, rows - rows // 50), people + np.arange(rows - rows // 50)])
    chain = random.integers(0, people, rows // 50)
    tied = np.column_stack([chain, np.minimum(chain + 1, people - 1)])
    ends = np.concatenate([star, tied]).astype(np.uint32)
    pl.DataFrame({"left": ends[:, 0], "right": ends[:, 1]}).filter(pl.col("left") != pl.col("right")).write_parquet(
        path
    )
    return path


def ours(path: Path) -> Answer:
    """The product's components."""
    edges = pl.read_parquet(path)
    label = components(edges["left"], edges["right"], count=_nodes(edges)).to_numpy()
    return int(label.max()) + 1, int(np.bincount(label).max())


def with_scipy(path: Path) -> Answer:
    """scipy.sparse.csgraph alone."""
    edges = pl.read_parquet(path)
    count = _nodes(edges)
    ends = (edges["left"].to_numpy(), edges["right"].to_numpy())
    number, label = connected_components(
        coo_array((np.ones(edges.height, dtype=np.bool_), ends), shape=(count, count)), directed=False
    )
    return int(number), int(np.bincount(label).max())


def recursive_sql(path: Path) -> Answer:
    """Labels that spread along edges until none changes, in DuckDB."""
    connection = duckdb.connect()
    connection.execute(
        f"""CREATE TABLE ends AS SELECT "left" a, "right" b FROM '{path}' UNION ALL SELECT "right", "left" FROM '{path}'"""
    )
    connection.execute(
        f"CREATE TABLE label AS SELECT range::UINTEGER node, range::UINTEGER label FROM range({_nodes(pl.read_parquet(path))})"
    )
    while True:
        connection.execute(
            "CREATE OR REPLACE TABLE nearer AS SELECT a node, min(label.label) label FROM ends JOIN label ON label.node = b GROUP BY a"
        )
        changed = connection.execute(
            "UPDATE label SET label = nearer.label FROM nearer WHERE nearer.node = label.node AND nearer.label < label.label"
        ).fetchall()[0][0]
        if not changed:
            break
        connection.execute(
            "UPDATE label SET label = other.label FROM label AS other WHERE other.node = label.label AND other.label < label.label"
        )
    row = connection.sql(
        "SELECT count(*), max(n) FROM (SELECT label, count(*) n FROM label GROUP BY label)"
    ).fetchall()[0]
    return int(row[0]), int(row[1])


def _nodes(edges: pl.DataFrame) -> int:
    return int(edges.select(pl.max_horizontal(pl.all().max())).item()) + 1


COMPONENTS = {"journeys": ours, "scipy": with_scipy, "sql": recursive_sql}


def main() -> None:
    asked_for = arguments(__doc__.splitlines()[0], sizes=[1_000_000, 5_000_000])
    if asked_for.only:
        alone(COMPONENTS[asked_for.only], asked_for.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        results = [
            compare(
                f"components over {rows:,} edges",
                COMPONENTS,
                edges_file(Path(folder), rows),
                runs=asked_for.runs,
                program="components",
            )
            for rows in asked_for.rows
        ]
    print(told(results, as_json=asked_for.json))


if __name__ == "__main__":
    main()
