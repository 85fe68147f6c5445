"""The Spark job: what the driver asks of the workers, step by step; a program of its own, started by the Spark engine."""

import json
import os
import pickle
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
from dagster_pipes import PipesContext, open_dagster_pipes

from pipelines.engines import spark_tasks as tasks
from pipelines.engines.components import connected_components
from pipelines.engines.spark_tasks import (
    FILES,
    LINKS,
    PIECES,
    Batches,
    Give,
    PieceTask,
    RowTask,
    SourceTask,
    Work,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Files = list[tuple[str, int, int]]
Step = Callable[["Cluster", Work], Files]
CAUSE = re.compile(r"^(?:Caused by: )?((?:\w+\.)*\w*(?:Error|Exception): .*)", re.MULTILINE)
WRAPPERS = ("org.apache.spark.SparkException", "org.apache.spark.api.python", "pyspark.errors", "py4j")


@dataclass(frozen=True)
class Cluster:
    """A Spark session, and the exchanges that steps are made of."""

    spark: "SparkSession"
    say: Callable[[str], None]

    def source(
        self, count: int, work: Work, task: SourceTask, give: Give = tasks.packed, schema: str = PIECES
    ) -> "DataFrame":
        """What a task gives for each number from 0."""
        numbers = self.spark.range(0, count, 1, max(1, count))
        return numbers.mapInArrow(tasks.from_numbers(work, task, give), schema)

    def exchange(self, pieces: "DataFrame", count: int, work: Work, task: PieceTask) -> "DataFrame":
        """What a task gives for all pieces of each bucket."""
        gathered = pieces.repartitionById(count, "bucket")
        return gathered.mapInArrow(tasks.from_pieces(work, task, tasks.packed), PIECES)

    def write(self, pieces: "DataFrame", count: int, work: Work, task: PieceTask) -> Files:
        """The files that a task writes for all pieces of each bucket."""
        gathered = pieces.repartitionById(count, "bucket")
        return self.files(gathered.mapInArrow(tasks.from_pieces(work, task, tasks.written), FILES))

    def rows(self, rows: "DataFrame", count: int, work: Work, task: RowTask) -> "DataFrame":
        """What a task gives for all rows of each bucket."""
        return rows.repartitionById(count, "bucket").mapInArrow(tasks.from_rows(work, task, tasks.packed), PIECES)

    def files(self, written: "DataFrame") -> Files:
        """Have files written; their names, buckets and heights."""
        return [(row["name"], row["bucket"], row["height"]) for row in written.collect()]

    def keep(self, work: Work, frame: "DataFrame", name: str) -> "DataFrame":
        """Rows of numbers made lasting: written to the storage, and read from there by whoever asks."""
        written = self.files(frame.mapInArrow(partial(keep_rows, work, name), FILES))
        numbers = [bucket for _name, bucket, _height in written]
        schema = (
            frame.schema.simpleString().removeprefix("struct<").removesuffix(">").replace(":", " ").replace(",", ", ")
        )
        kept = partial(read_rows, work, name, numbers)
        return self.spark.range(0, len(numbers), 1, max(1, len(numbers))).mapInArrow(kept, schema)


def keep_rows(work: Work, name: str, batches: Batches) -> Batches:
    """Write the rows of one partition as one file."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    if tables:
        frame = pl.DataFrame(pa.concat_tables(tables))
        yield from tasks.written(work.write(name, tasks.partition(), frame))


def read_rows(work: Work, name: str, numbers: list[int], batches: Batches) -> Batches:
    """The rows of the files of some numbers."""
    for batch in batches:
        for place in batch.column("id").to_pylist():
            yield from work.storage.read(name, numbers[place]).collect().to_arrow().to_batches()


# ---------------------------------------------------------------- steps


def identity(cluster: Cluster, work: Work) -> Files:
    """Who is who: the ledger of all parts, its components, and within whole components who they are."""
    from pyspark.sql import functions as F

    found = cluster.source(work.count("events", "records"), work, tasks.evidence_of)
    written = cluster.write(found, work.buckets, work, tasks.merged)
    cluster.say(f"ledger: {height(written, 'ledger'):,} edges, {height(written, 'identifiers'):,} identifiers")
    work = having(work, written)
    links = cluster.source(work.buckets, work, tasks.links_of, tasks.as_rows, LINKS)
    components = connected_components(links, keep=partial(cluster.keep, work))
    named = components.withColumn("bucket", (F.col("node") % work.buckets).cast("int"))
    every = cluster.spark.range(work.buckets).selectExpr("CAST(NULL AS LONG)", "CAST(NULL AS LONG)", "CAST(id AS INT)")
    whole = cluster.rows(named.union(every), work.buckets, work, tasks.by_component)
    return cluster.write(whole, work.buckets, work, tasks.resolved)


def timeline(cluster: Cluster, work: Work) -> Files:
    """Whose event it is, and every table of whole customers."""
    parts = work.count("events")
    named = cluster.source(work.count("events", "core.identity_map"), work, tasks.asked)
    told = cluster.exchange(named, work.buckets, work, tasks.answered)
    written = cluster.write(told, max(1, parts), work, tasks.pointed)
    work = having(work, [file for file in written if file[0] == "told"])
    if height(written, "shared"):
        shared = cluster.source(parts, work, tasks.shared_events)
        seated = cluster.write(shared, work.buckets, work, tasks.seated)
        cluster.say(f"shared visitors: {height(seated, 'seated'):,} events seated")
        work = having(work, seated)
    count = work.count("events", "seated", "core.identity_map", "core.customer_aliases")
    return cluster.write(cluster.source(count, work, tasks.owned), work.buckets, work, tasks.customers)


def funnels(cluster: Cluster, work: Work) -> Files:
    """Every counted attempt of every funnel."""
    parts = work.count("core.events")
    found = cluster.files(cluster.source(parts, work, tasks.searched, tasks.written, FILES))
    if any(funnel.unit == "account" for funnel in work.funnels):
        pieces = cluster.source(parts, work, tasks.of_accounts)
        found += cluster.write(pieces, work.buckets, work, tasks.searched_accounts)
    return found


STEPS: dict[str, Step] = {"identity": identity, "timeline": timeline, "funnels": funnels}


def having(work: Work, written: Files) -> Work:
    """The work, where these files have been written too; what was written in buckets is read in as many parts."""
    files = work.files | {(name, bucket) for name, bucket, _height in written}
    counts = {name: sum(each == name for each, _bucket in files) for name, _bucket in files}
    return replace(work, files=files, parts={**counts, **work.parts})


def height(files: Files, name: str) -> int:
    """How many rows these files hold under one name."""
    return sum(height for each, _bucket, height in files if each == name)


# ---------------------------------------------------------------- the program


@contextmanager
def session(settings: dict[str, str]) -> Iterator["SparkSession"]:
    """A Spark session for as long as the block runs."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("journeys")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()


def end_with(parent: int) -> None:
    """End this program, and Spark with it, when whoever started it is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def write_errors_to(path: str) -> None:
    """What this program, and Spark below it, would say on the terminal goes to a file."""
    log = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)


def cause_of(error: BaseException) -> str:
    """The line of an error that says what went wrong, below whatever Spark wraps around it."""
    lines = [line.strip() for line in CAUSE.findall(str(error))]
    inner = [line for line in lines if not line.startswith(WRAPPERS)]
    return str((inner or lines or [str(error).strip() or type(error).__name__])[-1])[:500]


def main(folder: str) -> int:
    """Do the work that is written down in a folder, and write there what came of it."""
    end_with(os.getppid())
    write_errors_to(os.environ["JOURNEYS_SPARK_LOG"])
    place = Path(folder)
    step, work, settings = pickle.loads((place / "work.pickle").read_bytes())
    with open_dagster_pipes() if "DAGSTER_PIPES_CONTEXT" in os.environ else nobody() as pipes:
        begun, tell = time.monotonic(), pipes.log.info if pipes else print

        def say(line: str) -> None:
            tell(f"{line} ({time.monotonic() - begun:.1f} s)")

        try:
            with session(settings) as spark:
                say(f"Spark {spark.version} on {spark.sparkContext.master}: {step}, {work.buckets} buckets")
                files = STEPS[step](Cluster(spark, say), work)
        except Exception as error:
            (place / "answer.json").write_text(json.dumps({"problem": cause_of(error)}), encoding="utf-8")
            raise
        for name in sorted({name for name, _bucket, _height in files}):
            say(f"{name}: {height(files, name):,} rows")
    (place / "answer.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    return 0


@contextmanager
def nobody() -> Iterator[PipesContext | None]:
    """Nobody listens."""
    yield None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
