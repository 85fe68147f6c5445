"""Deploy: the units and the compose file, checked as far as this machine can."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipelines.run import run_in_process
from pipelines.settings import Workspace
from tests.pipelines.test_unchanged import JOURNEY, page_views

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted([*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")])
COMPOSE = next(
    (
        command
        for command in (["docker-compose"], ["docker", "compose"])
        if shutil.which(command[0])
        and not subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    ),
    None,
)
PROGRAMS = {"dagster-daemon", "dagster-webserver", "journeys"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    for each in UNITS:
        text = re.sub(r"ExecStart=\S+/", "ExecStart=/bin/true ", each.read_text()).replace("User=journeys", "User=root")
        (tmp_path / each.name).write_text(text.replace("WorkingDirectory=/opt/journeys", "WorkingDirectory=/"))

    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / unit.name)], capture_output=True, text=True, check=False
    )

    assert unit.name not in done.stderr, done.stderr


def test_units_and_services_start_programs_that_are_installed() -> None:
    started = {
        Path(line.split("=", 1)[1].split()[0]).name
        for unit in UNITS
        for line in unit.read_text().splitlines()
        if line.startswith("ExecStart=")
    }
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    started |= {said["command"][0] for said in services.values() if "command" in said}

    assert started == PROGRAMS
    assert all(shutil.which(name, path=f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}") for name in PROGRAMS)


def test_the_example_of_the_environment_names_every_secret_and_holds_none() -> None:
    lines = (DEPLOY / "journeys.env.example").read_text().splitlines()
    said = dict(line.removeprefix("# ").split("=", 1) for line in lines if "=" in line)

    assert {"JOURNEYS_HMAC_KEY", "JOURNEYS_WEBHOOK_URL", "JOURNEYS_SMTP_URL", "JOURNEYS_MAIL_FROM"} <= said.keys()
    assert not any(said[name] for name in said if name.endswith(("KEY", "URL", "FROM")))


def test_the_image_holds_every_room_that_the_product_is_made_of() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    copied = re.findall(r"^COPY (\w+) \1$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)

    assert set(copied) == {*packages, "sql"}


def test_postgres_changes_dagsters_storage_and_nothing_else() -> None:
    plain, postgres = (
        yaml.safe_load(file.read_text()) for file in (ROOT / "dagster.yaml", DEPLOY / "dagster.postgres.yaml")
    )

    assert {name for name in plain if plain[name] != postgres.get(name)} <= {"storage", "retention"}
    assert postgres["storage"].keys() == {"postgres"}


@pytest.mark.skipif(COMPOSE is None, reason="docker compose is not here")
def test_compose_reads_its_file() -> None:
    environment = {**os.environ, "JOURNEYS_HMAC_KEY": "x"}

    done = subprocess.run(
        [*COMPOSE, "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)


@pytest.fixture
def postgres() -> Iterator[int]:
    """The port of a Postgres of its own; as root it runs as Debian's user for it."""
    assert POSTGRES is not None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    (folder / "password").write_text("secret")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")
    asked = ["-D", folder / "data", "-U", "dagster", "-A", "scram-sha-256"]
    subprocess.run(
        [POSTGRES, *asked, f"--pwfile={folder / 'password'}"], check=True, capture_output=True, cwd=folder, **user
    )  # type: ignore[call-overload]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    control = [POSTGRES.with_name("pg_ctl"), "-D", folder / "data", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "-w", "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)  # type: ignore[call-overload]
    yield port
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)  # type: ignore[call-overload]
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(POSTGRES is None, reason="Postgres is not here (Debian: apt-get install postgresql)")
def test_a_night_leaves_its_run_in_postgres(postgres: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, place = tmp_path / "home", Workspace(tmp_path / "shop")
    for folder in (home, place.landing):
        folder.mkdir(parents=True)
    settings = yaml.safe_load((DEPLOY / "dagster.postgres.yaml").read_text())
    settings["storage"]["postgres"]["postgres_db"] |= {"hostname": "127.0.0.1", "port": postgres, "db_name": "postgres"}
    for part in ("local_artifact_storage", "compute_logs"):
        settings[part]["config"]["base_dir"] = str(home)
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
    (place.root / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    place.journey_file.write_text(JOURNEY)
    (place.landing / "a.ndjson").write_text(page_views(1, 2))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("DAGSTER_POSTGRES_PASSWORD", "secret")

    assert run_in_process(place, say=lambda _line: None) == []

    with dg.DagsterInstance.get() as instance:
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"
        assert [run.status.value for run in instance.get_runs()] == ["SUCCESS"]
