"""The Spark engine: the same transforms, on as many machines as Spark's master has.

Each step writes what it needs as Parquet to a storage that all machines see, has a Spark job work on it, and reads what the
job wrote into the build file, in one transaction. Nothing stays in the storage when a step has ended.
"""

import importlib.util
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import polars as pl

from pipelines.engines.increments import ENTRANTS, GROUPS, forget_following, note_built, rules_version
from pipelines.engines.local import LocalEngine, columns_read, read_bucket, rewrite, row_counts
from pipelines.engines.per_customer import PER_CUSTOMER
from pipelines.engines.spark_tasks import Work
from pipelines.engines.storage import Storage, folder_of
from pipelines.errors import DataError
from pipelines.warehouse import Connection, insert, quoted, run, sql_text
from transforms.contracts import TABLES
from transforms.funnel_stream import spans_customers
from transforms.identity import NOTHING_RETRACTED, shared_identifications
from transforms.journey import Funnel, Journey

PACKAGES = Path(__file__).resolve().parents[2]
JAVA = 17
CONNECT_SECONDS = 5
ATTEMPTS = 4
WHO = ("core.identity_edges", "core.identity_map", "core.customer_aliases")
Files = list[tuple[str, int, int]]
Submit = Callable[[Sequence[str], Mapping[str, str]], int]


def submit_alone(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a program to its end, heard by nobody; its exit status."""
    return subprocess.run(command, env={**os.environ, **env}, check=False, stdout=subprocess.DEVNULL).returncode


@dataclass(frozen=True)
class SparkEngine(LocalEngine):
    """Runs transforms on Spark, over copies of the build file's tables; the whole history each time.

    `submit` runs the job's program to its end, and returns its exit status.
    """

    submit: Submit = submit_alone

    def identity(self, *, retracted: pl.DataFrame = NOTHING_RETRACTED) -> dict[str, int]:
        """Rewrite who is who; `retracted` has the pair_id of identifiers that somebody has taken apart."""
        with self.warehouse.writing() as connection, self._storage("identity") as storage:
            parts = {
                "events": self._export(connection, storage, "events", sql_text("core/evidence_of_events.sql")),
                "records": self._export(connection, storage, "records", "FROM raw.crm_records"),
            }
            files = self._work(
                "identity", Work(storage, self._journey, self._buckets_of_all(connection), parts, retracted)
            )
            for name in WHO:
                rewrite(connection, TABLES[name], TABLES[name].empty())
            load(connection, storage, files, WHO)
            return row_counts(connection, *WHO)

    def timeline(self, *, vanished: Callable[[pl.DataFrame], None] = lambda _sessions: None) -> dict[str, int]:
        """Rewrite core.events, and every table that follows from it for whole customers.

        `vanished` is told session_id, source and event_id of sessions that are no longer there, before anything is kept.
        """
        with self.warehouse.writing() as connection, self._storage("timeline") as storage:
            for statement in ("core/web_timeline", "core/crm_timeline", "core/all_events"):
                run(connection, f"{statement}.sql")
            parts = {
                "events": self._export(connection, storage, "events", "SELECT * EXCLUDE (fingerprint) FROM candidates")
            }
            for name in WHO[1:]:
                parts[name] = self._export(connection, storage, name, f"FROM {quoted(name)}")
            storage.write(self._identifications(connection), "identifications", 0)
            files = self._work("timeline", Work(storage, self._journey, self._buckets_of_all(connection), parts))

            run(connection, "state/all_sessions.sql")
            run(connection, "state/take_back_all.sql")
            forget_following(connection)
            run(connection, "state/forget_built.sql", {"name": "core.events"})
            for name in PER_CUSTOMER:
                connection.execute(f"DELETE FROM {quoted(name)}")
            load(connection, storage, files, ("core.events", *PER_CUSTOMER))
            vanished(connection.sql(sql_text("state/vanished_sessions.sql")).pl())
            for name, made in PER_CUSTOMER.items():
                note_built(connection, name, rules_version(made.rules(self._journey)))
            return row_counts(connection, "core.events")

    def funnels(self, funnels: Sequence[Funnel], *, horizons: Mapping[str, datetime | None]) -> dict[str, int]:
        """Rewrite the counted attempts of every funnel, and the groups of their breakdowns.

        What depends on events of several customers is searched here, but for plain funnels of accounts.
        """
        here = [
            funnel for funnel in funnels if spans_customers(funnel) and (funnel.unit != "account" or funnel.segments)
        ]
        there = [funnel for funnel in funnels if funnel not in here]
        with self.warehouse.writing() as connection, self._storage("funnels") as storage:
            buckets = list(self._buckets(connection, None))
            columns = sorted({"account_id", *columns_read(there, self._journey)})
            for number, bucket in enumerate(buckets):
                storage.write(
                    read_bucket(connection, "core.events", bucket).select(columns).collect(), "core.events", number
                )
            work = Work(storage, self._journey, len(buckets), {"core.events": len(buckets)})
            asked = replace(work, funnels=tuple(there), horizons=dict(horizons))
            files = self._work("funnels", asked) if there else []
            for name in (ENTRANTS, GROUPS):
                connection.execute(f"DELETE FROM {quoted(name)}")
            run(connection, "state/forget_built.sql", {"name": ENTRANTS})
            load(connection, storage, files, (ENTRANTS, GROUPS))
            self._search_whole(connection, here, horizons)
            return row_counts(connection, ENTRANTS, GROUPS)

    # ------------------------------------------------------------ to and from the storage

    @property
    def _journey(self) -> Journey:
        return self.configuration.journey

    def _buckets_of_all(self, connection: Connection) -> int:
        return self._bucket_count(connection.sql(sql_text("core/event_total.sql")).fetchall()[0][0])

    @contextmanager
    def _storage(self, step: str) -> Iterator[Storage]:
        """An empty place for one step, which is empty again when the block ends."""
        storage = folder_of(self.configuration.engine.spark.storage, self.warehouse.path).below(step)
        try:
            storage.remove()
            try:
                yield storage
            finally:
                storage.remove()
        except (OSError, pl.exceptions.ComputeError) as error:
            raise DataError(
                f"the storage {storage.root} cannot be used ({str(error).splitlines()[0]}); see that it can be reached and written, "
                "or name another in journey.yaml: engine, spark, storage"
            ) from error

    def _export(self, connection: Connection, storage: Storage, name: str, sql: str) -> int:
        """Write the rows of a query as parts of one name; how many they are."""
        number = 0
        for batch in connection.sql(sql).arrow(self.configuration.engine.bucket_rows):
            storage.write(pl.DataFrame(batch), name, number)
            number += 1
        return number

    def _identifications(self, connection: Connection) -> pl.DataFrame:
        """What the ledger says of shared visitors; only their edges, and the map of these edges' ends, are read."""
        run(connection, "core/edges_of_shared.sql")
        edges = connection.sql("FROM edges_of_shared").pl().lazy()
        ends = connection.sql(sql_text("core/map_of_shared.sql")).pl().lazy()
        return shared_identifications(edges, ends).collect()

    # ------------------------------------------------------------ the job

    def _work(self, step: str, work: Work) -> Files:
        """Have Spark do a step; the files that it wrote.

        Raises DataError when Spark cannot be had, or gives up.
        """
        spark = self.configuration.engine.spark
        refuse_unready(spark.master)
        kept = self.warehouse.path.with_name("spark.log")
        kept.unlink(missing_ok=True)
        with TemporaryDirectory(prefix="spark-", dir=self.warehouse.path.parent) as folder:
            Path(folder, "work.pickle").write_bytes(
                pickle.dumps((step, work, settings_of(spark.master, spark.settings, work.buckets, folder)))
            )
            log = Path(folder, "spark.log")
            status = self.submit(
                [sys.executable, "-m", "pipelines.engines.spark_job", folder],
                {**environment(), "JOURNEYS_SPARK_LOG": str(log)},
            )
            answer = Path(folder, "answer.json")
            told = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {}
            if status or "files" not in told:
                if log.exists():
                    shutil.move(log, kept)
                problem = told.get("problem", f"its program ended with status {status}")
                raise DataError(f"Spark could not do the step '{step}': {problem}; see {kept}; nothing was published")
        return [(name, bucket, height) for name, bucket, height in told["files"]]


def load(connection: Connection, storage: Storage, files: Files, names: Sequence[str]) -> None:
    """Add the rows of the files of these tables, bucket by bucket."""
    for name in names:
        for _name, bucket, _height in sorted(file for file in files if file[0] == name):
            insert(connection, TABLES[name], storage.read(name, bucket).collect())


def settings_of(master: str, given: Mapping[str, str], buckets: int, folder: str) -> dict[str, str]:
    """What Spark is told: UTC, no page of its own, each task tried several times; what is given goes before."""
    local = re.fullmatch(r"local(?:\[(.+)\])?", master)
    told = {
        "spark.master": f"local[{local[1] or 1},{ATTEMPTS}]" if local else master,
        "spark.task.maxFailures": str(ATTEMPTS),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(buckets),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
        "spark.sql.execution.arrow.maxBytesPerBatch": str(64 << 20),
        "spark.executorEnv.PYTHONPATH": environment()["PYTHONPATH"],
        "spark.executorEnv.POLARS_MAX_THREADS": environment()["POLARS_MAX_THREADS"],
    }
    if local:
        told["spark.local.dir"] = folder
    if local or urlsplit(master).hostname in ("127.0.0.1", "localhost"):
        told |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return told | dict(given)


def environment() -> dict[str, str]:
    """What the job's program, and those that it starts, find in their environment."""
    paths = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable),
        "POLARS_MAX_THREADS": os.environ.get("POLARS_MAX_THREADS", "1"),
    }


def refuse_unready(master: str) -> None:
    """Raise DataError, saying what would be right, when PySpark, Java or the master cannot be had."""
    if importlib.util.find_spec("pyspark") is None:
        raise DataError("engine: spark needs PySpark; install it: pip install 'journeys[spark]'")
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    said = ""
    if java and Path(java).exists():
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if not version or int(version[1]) < JAVA:
        found = f"found {version[1]} at {java}" if version else f"found none at {home or 'any place of PATH'}"
        raise DataError(
            f"engine: spark needs Java {JAVA} or newer, {found}; install it (Debian: apt-get install default-jre-headless), "
            "or name its folder in JAVA_HOME"
        )
    for address in master.removeprefix("spark://").split(",") if master.startswith("spark://") else ():
        if is_reachable(address):
            return
    if master.startswith("spark://"):
        raise DataError(
            f"Spark's master {master} does not answer; start it, or write its address into journey.yaml: engine, spark, master"
        )


def is_reachable(address: str) -> bool:
    """True when something takes a connection at host:port."""
    host, _, port = address.partition(":")
    try:
        with socket.create_connection((host, int(port or 7077)), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False
