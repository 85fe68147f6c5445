"""How well people are stitched: pairwise precision and recall against what is true of the sample business.

Usage: python benchmarks/identity_quality.py [--events 200000] [--seed 1] [--days 180] [--json]

A pair is two identifiers. It is true when some person really has both, found when both point at one customer. Precision is the
share of the pairs found that are true, recall the share of the true pairs that are found: once over all identifiers, once
over those that have evidence (an edge of the ledger): a browser that nobody ever signed in with cannot be recognised.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.demo import prepare_demo
from pipelines.engines.local import LocalEngine
from pipelines.ingest import load_new_files
from pipelines.settings import Workspace
from pipelines.warehouse import Warehouse
from transforms.canonical import Rules, identifier_value
from transforms.distinct import per_distinct
from transforms.identity import ENDS, IDENTIFIER

WAYS = ("all identifiers", "identifiers with evidence")


def main() -> None:
    arguments = parsed()
    with tempfile.TemporaryDirectory() as folder:
        place = prepare_demo(
            Path(folder), events=arguments.events, seed=arguments.seed, days=arguments.days, say=lambda _line: None
        )
        stitch(place)
        measured = measure(place)
    if arguments.json:
        print(json.dumps(measured, indent=2))
    else:
        show(measured)


def stitch(place: Workspace) -> None:
    """Load what landed and resolve who is who."""
    settings, warehouse = place.configuration, Warehouse(place.build_file)
    with warehouse.opened():
        load_new_files(warehouse, place.landing, settings.sources, journey=settings.journey, hmac_key=place.hmac_key)
        LocalEngine(warehouse, settings).identity()


def measure(place: Workspace) -> list[dict[str, Any]]:
    """Pairs found, true and both, and the misses and mistakes by kind; once for each way of counting."""
    warehouse = Warehouse(place.build_file)
    with warehouse.opened():
        resolved = warehouse.read("core.identity_map").select(*IDENTIFIER, "customer_id", "status")
        edges = warehouse.read("core.identity_edges").select(*ENDS)
    ends = [edges.select(namespace=f"{end}_namespace", value=f"{end}_value") for end in ("from", "to")]
    evident = pl.concat(ends).unique().with_columns(has_evidence=pl.lit(True))
    truth = true_owners(place)
    shared = truth.group_by(IDENTIFIER).agg(people=pl.len())
    known = (
        truth.select(IDENTIFIER)
        .unique()
        .join(resolved, on=IDENTIFIER, how="full", coalesce=True)
        .join(evident, on=IDENTIFIER, how="left")
        .join(shared, on=IDENTIFIER, how="left")
        .with_columns(pl.col("has_evidence").fill_null(False), pl.col("status").fill_null("never landed"))
        .sort(IDENTIFIER)
        .with_row_index("node")
    )
    owners = truth.join(known.select(*IDENTIFIER, "node"), on=IDENTIFIER)
    real = pairs_of(owners.select("node", group="person")).with_columns(is_true=pl.lit(True))
    found = pairs_of(known.select("node", group="customer_id").drop_nulls()).with_columns(is_found=pl.lit(True))
    judged = real.join(found, on=["near", "far"], how="full", coalesce=True).with_columns(
        pl.col("is_true", "is_found").fill_null(False)
    )
    described = judged.join(known.select(pl.all().name.prefix("near_")), left_on="near", right_on="near_node").join(
        known.select(pl.all().name.prefix("far_")), left_on="far", right_on="far_node"
    )
    both_evident = pl.col("near_has_evidence") & pl.col("far_has_evidence")
    return [
        {"counted": way, "identifiers": known.filter(kept).height, **scored(described.filter(pairs))}
        for way, kept, pairs in zip(
            WAYS, (pl.lit(True), pl.col("has_evidence")), (pl.lit(True), both_evident), strict=True
        )
    ]


def true_owners(place: Workspace) -> pl.DataFrame:
    """namespace, value, person: the truth, with values as the product stores them."""
    rules = Rules(country=place.configuration.journey.identity.country, hmac_key=place.hmac_key)
    truth = pl.read_parquet(place.root / "truth" / "identifiers.parquet")

    def stored(namespace: str) -> pl.Expr:
        return per_distinct(pl.col("value"), lambda text: identifier_value(text, namespace=namespace, rules=rules))

    parts = [
        rows.with_columns(stored(namespace) if namespace in ("email", "phone") else pl.col("value"))
        for (namespace,), rows in truth.partition_by("namespace", as_dict=True).items()
    ]
    return pl.concat(parts).filter(pl.col("value").is_not_null()).unique()


def pairs_of(members: pl.DataFrame) -> pl.DataFrame:
    """near, far: every two nodes of one group, the smaller first, each once."""
    both = members.join(members, on="group", suffix="_other").filter(pl.col("node") < pl.col("node_other"))
    return both.select(near="node", far="node_other").unique()


def scored(pairs: pl.DataFrame) -> dict[str, Any]:
    """The counts of some pairs, and why pairs are missed or mistaken."""
    both = pairs.filter(pl.col("is_true") & pl.col("is_found")).height
    found, true = pairs["is_found"].sum(), pairs["is_true"].sum()
    return {
        "found": found,
        "true": true,
        "both": both,
        "precision": round(both / found, 6) if found else None,
        "recall": round(both / true, 6) if true else None,
        "missed": by_kind(pairs.filter(pl.col("is_true") & ~pl.col("is_found"))),
        "mistaken": by_kind(pairs.filter(pl.col("is_found") & ~pl.col("is_true"))),
    }


def by_kind(pairs: pl.DataFrame) -> dict[str, int]:
    """How many pairs there are of each kind, the first that applies."""
    ends = ("near", "far")

    def one(condition: str, *, of: str = "status") -> pl.Expr:
        return pl.any_horizontal(pl.col(f"{end}_{of}") == condition for end in ends)

    several = pl.any_horizontal(pl.col(f"{end}_people") > 1 for end in ends)
    silent = pl.any_horizontal(
        (pl.col(f"{end}_namespace") == "anonymous_id") & ~pl.col(f"{end}_has_evidence") for end in ends
    )
    kind = (
        pl.when(one("never landed")).then(pl.lit("an identifier is in no row that could be read"))
        .when(one("shared")).then(pl.lit("shared device: it points at nobody, its events go to whoever was there"))
        .when(silent).then(pl.lit("browser never identified"))
        .when(several).then(pl.lit("shared device on which only one person was ever identified"))
        .when(one("capped")).then(pl.lit("address of too many people"))
        .when(one("alone")).then(pl.lit("an identifier that nothing ties to another"))
        .otherwise(pl.lit("both have evidence, and nothing leads from one to the other"))
    )  # fmt: skip
    counted = pairs.select(kind=kind).group_by("kind").len().sort("len", "kind", descending=[True, False])
    return dict(counted.rows())


def show(measured: list[dict[str, Any]]) -> None:
    print(
        f"{'counted over':<28}{'identifiers':>12}{'true pairs':>12}{'found':>10}{'both':>10}{'precision':>11}{'recall':>9}"
    )
    for row in measured:
        rates = "".join(f"{row[name]:>{width}.4f}" if row[name] is not None else f"{'-':>{width}}"
                        for name, width in (("precision", 11), ("recall", 9)))  # fmt: skip
        print(
            f"{row['counted']:<28}{row['identifiers']:>12,}{row['true']:>12,}{row['found']:>10,}{row['both']:>10,}{rates}"
        )
    for row in measured:
        for name in ("missed", "mistaken"):
            total = sum(row[name].values())
            print(f"\n{name}, {row['counted']}: {total:,} pairs")
            for kind, pairs in row[name].items():
                print(f"  {pairs:>10,}  {kind}")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
