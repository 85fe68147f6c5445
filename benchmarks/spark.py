"""The Spark engine beside the local one: the same transforms, on the same two cores, from the same rows.

Builds the sample business once, has both engines make who is who, the timeline with everything per customer, and the attempts at
funnels from copies of one build file, and compares every table. What starting Spark costs is measured by the same steps over an
empty business, and told apart. Run: python -m benchmarks.spark [--events 1000000]
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter

from benchmarks.side_by_side import machine
from pipelines.demo import prepare_demo
from pipelines.engines.local import LocalEngine
from pipelines.engines.per_customer import PER_CUSTOMER
from pipelines.engines.spark import SparkEngine
from pipelines.ingest import load_new_files
from pipelines.night import Night
from pipelines.settings import Spark, Workspace
from pipelines.verify import compared
from pipelines.warehouse import Warehouse

STEPS = ("identity", "timeline", "per customer", "funnels")
MASTER = "local[2]"


@dataclass(frozen=True)
class Measured(Night):
    """A night over a copy of the build file."""

    build: Path = field(default=Path())

    @cached_property
    def warehouse(self) -> Warehouse:
        """The copy."""
        return Warehouse(self.build, memory=self.configuration.engine.memory)


def landed(folder: Path, events: int) -> Workspace:
    """The sample business, its files read into the build file."""
    place = prepare_demo(folder, events=events, seed=1, days=180, say=lambda _line: None)
    night = Night(place)
    settings = place.configuration
    with night.warehouse.opened():
        load_new_files(
            night.warehouse,
            place.landing,
            settings.sources,
            journey=settings.journey,
            hmac_key=place.hmac_key,
            found=night.discover(),
        )
    return place


def seconds(place: Workspace, build: Path, *, is_spark: bool) -> dict[str, float]:
    """What each step takes one engine, on a copy of the build file."""
    settings = place.configuration
    told = settings.model_copy(update={"engine": settings.engine.model_copy(update={"spark": Spark(master=MASTER)})})
    night = Measured(place, build=build)
    warehouse = night.warehouse
    engine = SparkEngine(warehouse, told) if is_spark else LocalEngine(warehouse, told)
    took = {}
    with warehouse.opened():
        for name in STEPS:
            begun = perf_counter()
            if name == "identity":
                engine.identity()
            elif name == "timeline":
                engine.timeline()
            elif name == "per customer":
                for table in PER_CUSTOMER:
                    engine.per_customer(table)
            else:
                engine.funnels(night.funnels, horizons=night.funnel_horizons(night.funnels))
            took[name] = perf_counter() - begun
    return took


def main() -> None:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small, place = landed(root / "small", 1_000), landed(root / "business", asked.events)
        builds = {name: root / f"{name}.duckdb" for name in ("local", "spark", "start")}
        for name, build in builds.items():
            source = small if name == "start" else place
            shutil.copyfile(source.build_file, build)
        start = seconds(small, builds["start"], is_spark=True)
        took = {name: seconds(place, builds[name], is_spark=name == "spark") for name in ("local", "spark")}
        made = {"core.identity_edges", "core.identity_map", "core.customer_aliases", "core.events", "mart.funnel_entrants",
                "mart.funnel_entrant_groups", *PER_CUSTOMER}  # fmt: skip
        verdicts = [each for each in compared(Warehouse(builds["local"]), builds["spark"]) if each.table in made]
    differing = [verdict.table for verdict in verdicts if verdict.first_difference]
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print(
        f"{asked.events:,} events, {MASTER}; tables compared: {len(verdicts)}, differing: {', '.join(differing) or 'none'}"
    )
    print(f"{'step':<14}{'local s':>9}{'spark s':>9}{'start s':>9}{'ratio':>8}{'less start':>12}")
    for name in (*STEPS, "all"):
        local, spark, begin = (
            sum(each.values()) if name == "all" else each[name] for each in (took["local"], took["spark"], start)
        )
        ratio, less = (f"{spark / local:.1f}x", f"{max(spark - begin, 0) / local:.1f}x") if local > 0.05 else ("-", "-")
        print(f"{name:<14}{local:>9.1f}{spark:>9.1f}{begin:>9.1f}{ratio:>8}{less:>12}")
    if differing:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
