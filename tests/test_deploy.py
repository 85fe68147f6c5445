"""Deploy: the units and the compose file, checked as far as this machine can."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

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
