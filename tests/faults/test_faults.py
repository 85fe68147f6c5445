"""Faults other than kills: full disks, little memory, what is gone, damaged or in the way. Afterwards nothing is lost or doubled."""

import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipelines.settings import Workspace
from tests.faults.small_nights import finished, land, nothing_is_lost, published_ids, started, told, workspace

pytestmark = pytest.mark.faults


@pytest.fixture
def draw() -> random.Random:
    return random.Random(5)


@pytest.fixture
def landed(place: Workspace, draw: random.Random) -> set[str]:
    """The events of a first night that went well."""
    ids = land(place, 0, draw)
    finished(place)
    return ids


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return workspace(tmp_path / "shop")


def at_most(kind: int, size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (size, size))


@pytest.mark.parametrize("megabytes", [1, 3, 6, 9, 11, 14])
def test_a_full_disk_ends_the_run_and_leaves_the_last_publication(
    place: Workspace, landed: set[str], draw: random.Random, megabytes: int
) -> None:
    before = published_ids(place)
    landed |= land(place, 1, draw)

    status, said = told(started(place, limit=at_most(resource.RLIMIT_FSIZE, megabytes << 20)))

    assert published_ids(place) in (before, landed)
    assert status == 0 or (status == 1 and said.startswith("error: ")), said
    nothing_is_lost(place, landed)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a small file system")
def test_a_file_system_that_is_full_ends_the_run_and_room_lets_it_go_on(tmp_path: Path, draw: random.Random) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        place = workspace(small / "shop")
        landed = land(place, 0, draw)
        finished(place)
        before = published_ids(place)
        landed |= land(place, 1, draw)
        room = os.statvfs(small)
        (small / "in_the_way").write_bytes(b"\0" * (room.f_bavail * room.f_frsize - 2**20))

        status, said = told(started(place))

        assert (status, said.startswith("error: ")) == (1, True), said
        assert published_ids(place) == before
        (small / "in_the_way").unlink()
        nothing_is_lost(place, landed)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


@pytest.mark.parametrize("megabytes", [700, 1100, 1600])
def test_a_run_without_memory_leaves_the_last_publication(
    place: Workspace, landed: set[str], draw: random.Random, megabytes: int
) -> None:
    before = published_ids(place)
    landed |= land(place, 1, draw)

    told(started(place, limit=at_most(resource.RLIMIT_AS, megabytes << 20)))

    assert published_ids(place) in (before, landed)
    nothing_is_lost(place, landed)


def test_a_small_memory_budget_goes_to_disk(tmp_path: Path, draw: random.Random) -> None:
    place = workspace(tmp_path / "shop", engine={"memory": "64MB", "bucket_rows": 1000})

    nothing_is_lost(place, land(place, 0, draw))


def test_a_landing_folder_that_is_gone_is_told_and_comes_back(
    place: Workspace, landed: set[str], draw: random.Random
) -> None:
    away = place.root / "away"
    place.landing.rename(away)

    status, said = told(started(place))

    assert (status, str(place.landing) in said) == (1, True), said
    assert published_ids(place) == landed
    place.landing.rmdir() if place.landing.exists() else None
    away.rename(place.landing)
    nothing_is_lost(place, landed | land(place, 1, draw))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a folder read-only")
def test_a_landing_folder_that_cannot_be_written_is_told(
    place: Workspace, landed: set[str], draw: random.Random
) -> None:
    landed |= land(place, 1, draw)
    bound = subprocess.run(["mount", "--bind", str(place.landing), str(place.landing)], check=False).returncode
    if bound or subprocess.run(["mount", "-o", "remount,ro,bind", str(place.landing)], check=False).returncode:
        pytest.skip("a folder cannot be mounted read-only here")
    try:
        status, said = told(started(place))
    finally:
        subprocess.run(["umount", "-l", str(place.landing)], check=False)

    assert (status, said.startswith("error: "), "landing" in said) == (1, True, True), said
    nothing_is_lost(place, landed)


def test_of_two_nights_at_once_one_runs_and_the_other_says_so(
    place: Workspace, landed: set[str], draw: random.Random
) -> None:
    landed |= land(place, 1, draw)

    ends = [told(run) for run in [started(place), started(place)]]

    assert sorted(status for status, _ in ends) in ([0, 0], [0, 1])
    assert all("is being written by another run" in said for status, said in ends if status)
    nothing_is_lost(place, landed)


def test_whoever_holds_the_published_file_open_sees_one_night_and_stops_no_other(
    place: Workspace, landed: set[str], draw: random.Random
) -> None:
    with duckdb.connect(str(place.published), read_only=True) as held:
        for number in (1, 2, 3):
            landed |= land(place, number, draw)
            finished(place)
            (count,) = held.sql("SELECT count(*) FROM core.events").fetchall()[0]
            assert count < len(landed)
        assert held.sql("SELECT count(DISTINCT file_id) FROM raw.files").fetchall() == [(1,)]
    nothing_is_lost(place, landed)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "its head": lambda content: b"\0" * 4096 + content[4096:],
    "its middle": lambda content: content[: len(content) // 2] + b"x" * 20_000 + content[len(content) // 2 + 20_000 :],
    "its end": lambda content: content[:-5000] + b"x" * 5000,
    "half of it": lambda content: content[: len(content) // 2],
    "all of it": lambda _content: b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_build_file_is_built_again_from_what_landed(
    place: Workspace, landed: set[str], draw: random.Random, damage: Callable[[bytes], bytes]
) -> None:
    place.build_file.write_bytes(damage(place.build_file.read_bytes()))

    nothing_is_lost(place, landed | land(place, 1, draw))


def test_damaged_storage_of_dagster_stops_no_night_of_the_command_line(
    place: Workspace, landed: set[str], draw: random.Random, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(f"storage:\n  sqlite:\n    base_dir: {home / 'data'}\n")
    assert told(started(place, DAGSTER_HOME=str(home)))[0] == 0
    for file in (home / "data").rglob("*.db"):
        file.write_bytes(b"noise")
    landed |= land(place, 1, draw)

    status, said = told(started(place, DAGSTER_HOME=str(home)))

    assert (status, str(home) in said) == (1, True), said
    assert published_ids(place) < landed
    nothing_is_lost(place, landed)


def test_a_week_without_a_night_is_caught_up_by_one(place: Workspace, landed: set[str], draw: random.Random) -> None:
    for number in range(1, 8):
        landed |= land(place, number, draw)

    nothing_is_lost(place, landed)


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu"])
def test_the_clock_and_the_zone_of_the_machine_change_no_table(
    tmp_path: Path, place: Workspace, landed: set[str], zone: str
) -> None:
    other = workspace(tmp_path / "other", time_zone="UTC")
    file = next(place.landing.glob("*.ndjson"))
    (other.landing / file.name).write_bytes(file.read_bytes())
    os.utime(other.landing / file.name, (4_000_000_000, 4_000_000_000))

    assert told(started(other, TZ=zone))[0] == 0

    tables = "SELECT * EXCLUDE (source) FROM core.events ORDER BY ALL"
    with (
        duckdb.connect(str(other.published), read_only=True) as there,
        duckdb.connect(str(place.published), read_only=True) as here,
    ):
        assert there.sql(tables).fetchall() == here.sql(tables).fetchall()


RECORDED = """
import os, runpy, sys
written = open(sys.argv.pop(1), "w", buffering=1)
replace, fsync = os.replace, os.fsync
def recorded_replace(old, new):
    written.write(f"replace {os.path.abspath(old)}\\t{os.path.abspath(new)}\\n")
    replace(old, new)
def recorded_fsync(descriptor):
    written.write(f"fsync {os.readlink(f'/proc/self/fd/{descriptor}')}\\n")
    fsync(descriptor)
os.replace, os.fsync = recorded_replace, recorded_fsync
sys.argv[0] = "journeys"
runpy.run_module("pipelines.cli", run_name="__main__", alter_sys=True)
"""


def test_what_is_published_is_on_disk_before_it_gets_its_name_and_its_folder_after(
    place: Workspace, landed: set[str], draw: random.Random, tmp_path: Path
) -> None:
    land(place, 1, draw)
    trace = tmp_path / "trace"
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}

    command = [sys.executable, "-c", RECORDED, str(trace), "run", "--workspace", str(place.root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    lines = trace.read_text().splitlines()
    renamed = [
        (number, *line.removeprefix("replace ").split("\t"))
        for number, line in enumerate(lines)
        if line.startswith("replace ")
    ]
    published = [(number, old, new) for number, old, new in renamed if Path(new) == place.published]
    assert len(published) == 1
    for number, old, new in published:
        assert f"fsync {old}" in lines[:number]
        assert f"fsync {Path(new).parent}" in lines[number:]
    pages = [new for _, _, new in renamed if Path(new).parent == place.reports]
    assert pages and f"fsync {place.reports}" in lines
