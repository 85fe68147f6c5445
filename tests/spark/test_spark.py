"""The Spark engine makes the tables of the local one, wherever it runs and whatever is lost on the way."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest
import yaml

from pipelines.demo import prepare_demo
from pipelines.engines.local import LocalEngine
from pipelines.engines.spark_job import cause_of
from pipelines.errors import DataError
from pipelines.night import Night
from pipelines.run import run_in_process
from pipelines.settings import Workspace
from pipelines.verify import verify
from tests.pipelines.test_increments import History

pytestmark = pytest.mark.spark

REAL = Path(__file__).resolve().parents[1] / "real"
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = (
    "clique_bait",
    "maven_crm_sales",
    "mobile_onboarding_events",
    "retentioneering_synthetic",
    "ga4_merch_store_sampled",
)
SEEDS = (1, 5, 12)
MOST = int(os.environ.get("JOURNEYS_SPARK_SETS", len(SETS)))
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    prepare_demo(folder, events=12_000, seed=3, days=60, say=lambda _line: None)
    return folder


def shop(sample: Path, folder: Path, **spark: Any) -> Workspace:
    """The sample business in a folder of its own, its engine Spark."""
    shutil.copytree(sample, folder)
    with (folder / "journey.yaml").open("a") as file:
        file.write(yaml.safe_dump({"engine": {"name": "spark", "bucket_rows": 1000, "spark": spark}}))
    return Workspace(folder)


def run(place: Workspace) -> None:
    assert run_in_process(place, say=lambda _line: None) == []


def differing(place: Workspace) -> list[str]:
    """The tables that a rebuild on this machine's own engine makes otherwise."""
    verdicts = verify(place, say=lambda _line: None)
    assert len(verdicts) > 20
    return [verdict.table for verdict in verdicts if verdict.first_difference]


# ---------------------------------------------------------------- on this machine


def test_the_sample_on_two_cores_gives_the_tables_of_the_local_engine_and_tells_dagster_what_it_does(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    place = shop(sample, tmp_path / "shop", master="local[2]")

    run(place)

    assert differing(place) == []
    assert not list(place.build_file.parent.glob("spark/*")), "something was left in the storage"
    instance = dg.DagsterInstance.get()
    (told,) = instance.get_run_records()
    said = [entry.user_message for entry in instance.all_logs(told.dagster_run.run_id)]
    assert any(line.startswith("Spark 4") and "timeline" in line for line in said)
    assert any(line.startswith("core.sessions: ") and " rows (" in line for line in said)


@pytest.mark.parametrize("seed", SEEDS[:MOST])
def test_a_random_history_gives_the_tables_of_the_local_engine(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalEngine, "_bucket_count", lambda _self, _events: 5)
    history = History(seed, tmp_path)
    for source in ("web", "contacts", "days"):
        history.land(source, 40)
    history.rules["engine"] = {"name": "spark", "spark": {"master": "local[2]"}}

    history.run()
    history.retract()
    history.land("web", 10)
    history.run()

    assert history.differences() == [], history.told


@pytest.mark.skipif(not DATA.exists(), reason="the published data sets are not beside the checkout")
@pytest.mark.parametrize("name", SETS[:MOST])
def test_a_published_data_set_gives_the_tables_of_the_local_engine(name: str, tmp_path: Path) -> None:
    shutil.copytree(DATA / name, tmp_path / "landing")
    rules = yaml.safe_load((REAL / name / "journey.yaml").read_text())
    rules["engine"] = {"name": "spark", "spark": {"master": "local[2]"}}
    (tmp_path / "journey.yaml").write_text(yaml.safe_dump(rules, sort_keys=False))
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    place = Workspace(tmp_path)

    run(place)

    assert differing(place) == []


def test_an_empty_business_is_an_empty_warehouse(tmp_path: Path) -> None:
    history = History(1, tmp_path, files=0)
    (history.place.landing / "web" / "1").write_text("no event at all\n")
    history.rules["engine"] = "spark"

    history.run()

    assert Night(history.place).warehouse.read("core.events").is_empty()
    assert history.differences() == []


# ---------------------------------------------------------------- on a master with workers


def program(name: str) -> list[str]:
    """The command that starts a program of Spark's."""
    import pyspark

    return [str(Path(pyspark.__file__).parent / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"]


def free_port() -> str:
    """A port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        return str(taken.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A master and two workers with a core each, on the loopback."""
    port, env = free_port(), {**os.environ, "SPARK_LOCAL_IP": HOST, "PYSPARK_PYTHON": sys.executable}
    log = (tmp_path / "cluster.log").open("wb")

    def started(*command: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(command, env=env, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)

    master = started(*program("master.Master"), "--host", HOST, "--port", port, "--webui-port", "0")
    address = f"spark://{HOST}:{port}"
    worker = [*program("worker.Worker"), "--host", HOST, "--cores", "1", "--memory", "1g", "--webui-port", "0", address]
    workers = [started(*worker) for _ in range(2)]
    until(lambda: (tmp_path / "cluster.log").read_bytes().count(b"Registering worker") == 2)
    yield address, workers
    for process in (*workers, master):
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program, and all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(holds: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.05)


def test_a_worker_that_is_killed_in_the_middle_costs_nothing_but_time(
    sample: Path, tmp_path: Path, cluster: tuple[str, list["subprocess.Popen[bytes]"]]
) -> None:
    address, workers = cluster
    place = shop(sample, tmp_path / "shop", master=address, settings={"spark.executor.memory": "512m"})
    folder = place.build_file.parent / "spark" / "timeline" / "core.events"
    killed: list[int] = []

    def kill_one() -> None:
        until(folder.exists, 180)
        end(workers[0])
        killed.append(len(list(folder.glob("*.parquet"))))

    killer = Thread(target=kill_one)
    killer.start()
    run(place)
    killer.join()

    assert killed and killed[0] < 12, "the worker was killed after its work was done"
    assert differing(place) == []


# ---------------------------------------------------------------- on an object store


def test_the_storage_may_be_a_bucket(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    told = {
        "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    bucket = boto3.client("s3")
    bucket.create_bucket(Bucket="frames")
    place = shop(sample, tmp_path / "shop", master="local[2]", storage="s3://frames/journeys")

    run(place)

    assert differing(place) == []
    assert bucket.list_objects_v2(Bucket="frames").get("KeyCount") == 0
    server.stop()


# ---------------------------------------------------------------- what cannot be had


def published_after(place: Workspace, rules: str) -> tuple[bytes, bytes, str]:
    """The published warehouse before and after a run by other rules that fails, and what was said."""
    before = place.published.read_bytes()
    place.journey_file.write_text(rules)
    with (place.landing / "web" / "late.ndjson").open("w") as file:
        file.write('{"id": "late", "event": "page_view", "at": 29000000, "cookie": "c9"}\n')
    with pytest.raises(DataError) as failed:
        run(Workspace(place.root))
    return before, place.published.read_bytes(), str(failed.value)


@pytest.fixture
def published(tmp_path: Path) -> tuple[Workspace, dict[str, Any]]:
    """A small business that the local engine has published."""
    history = History(2, tmp_path)
    history.place.journey_file.write_text(yaml.safe_dump(history.rules, sort_keys=False))
    place = Workspace(tmp_path)
    run_in_process(place, say=lambda _line: None)
    return place, history.rules


def test_a_missing_java_is_told_and_what_was_published_stays(
    published: tuple[Workspace, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, rules = published
    monkeypatch.setenv("JAVA_HOME", str(place.root / "nowhere"))

    before, after, said = published_after(place, yaml.safe_dump({**rules, "engine": "spark"}))

    assert "needs Java 17 or newer, found none" in said and "JAVA_HOME" in said
    assert before == after


def test_a_master_that_does_not_answer_is_told_at_once_and_what_was_published_stays(
    published: tuple[Workspace, dict[str, Any]],
) -> None:
    place, rules = published
    engine = {"name": "spark", "spark": {"master": "spark://127.0.0.1:9"}}
    begun = time.monotonic()

    before, after, said = published_after(place, yaml.safe_dump({**rules, "engine": engine}))

    assert "spark://127.0.0.1:9 does not answer" in said
    assert before == after and time.monotonic() - begun < 30


def test_a_storage_that_cannot_be_written_is_told_and_what_was_published_stays(
    published: tuple[Workspace, dict[str, Any]],
) -> None:
    place, rules = published
    (place.root / "file").touch()
    engine = {"name": "spark", "spark": {"master": "local[2]", "storage": str(place.root / "file")}}

    before, after, said = published_after(place, yaml.safe_dump({**rules, "engine": engine}))

    assert "cannot be used" in said and "engine, spark, storage" in said
    assert before == after


def test_spark_that_gives_up_is_told_and_what_was_published_stays(
    published: tuple[Workspace, dict[str, Any]],
) -> None:
    place, rules = published
    engine = {"name": "spark", "spark": {"master": "local[2]", "settings": {"spark.sql.shuffle.partitions": "none"}}}

    before, after, said = published_after(place, yaml.safe_dump({**rules, "engine": engine}))

    assert "Spark could not do the step 'identity'" in said and "spark.log" in said
    assert (place.build_file.parent / "spark.log").exists()
    assert before == after


def test_the_cause_is_what_failed_in_the_task_and_not_what_spark_wraps_around_it() -> None:
    said = """An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "worker.py", line 1, in main
polars.exceptions.ComputeError: cannot parse
org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times
Caused by: org.apache.spark.api.python.PythonException: Traceback (most recent call last):
"""

    assert cause_of(RuntimeError(said)) == "polars.exceptions.ComputeError: cannot parse"
