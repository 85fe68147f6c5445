"""The night as a whole: the same tables from any buckets, any split and any order of what landed."""

import gzip
import random
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from pipelines.engines.local import by_itself
from pipelines.night import Night
from pipelines.run import build_tables, run_in_process
from pipelines.sample import configuration_text, generate
from pipelines.settings import Workspace
from transforms.contracts import TABLES

HISTORY = "core.session_superseded"
KEPT = [table for name, table in TABLES.items() if name.startswith(("core.", "mart.")) and name != HISTORY]

# Drivers ask for ten conversions after the landmark; their order law is in tests/transforms/test_drivers.py.
TOO_SMALL_FOR = ["mart.funnel_drivers"]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landed")
    generate(folder, events=6_000, seed=3, days=40, stories=False, start=date(2026, 1, 1))
    return folder / "landing"


def workspace(folder: Path, landing: Path, *, engine: str = "") -> Workspace:
    """A workspace over a copy of these files."""
    folder.mkdir()
    shutil.copytree(landing, folder / "landing")
    (folder / "journey.yaml").write_text(engine + configuration_text(days=40))
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    return Workspace(folder)


def tables_of(place: Workspace) -> dict[str, pl.DataFrame]:
    """Core and mart, each in order of its grain."""
    read = Night(place).warehouse.read
    return {table.name: read(table.name).sort(table.grain) for table in KEPT}


def tables_built(place: Workspace) -> dict[str, pl.DataFrame]:
    """Core and mart after the part of a night that makes them: without checks, report and publishing."""
    build_tables(Night(place))
    return tables_of(place)


@pytest.fixture(scope="module")
def expected(landed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """Core and mart after a night as people run it."""
    place = workspace(tmp_path_factory.mktemp("night") / "plain", landed)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        assert run_in_process(place, say=lambda _line: None) == []
    return tables_of(place)


def differing(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> list[str]:
    return [name for name, frame in expected.items() if not found[name].equals(frame)]


def test_the_night_fills_every_table_of_core_and_mart(expected: dict[str, pl.DataFrame]) -> None:
    assert [name for name, frame in expected.items() if frame.is_empty()] == TOO_SMALL_FOR


def test_small_buckets_give_the_same_tables(landed: Path, expected: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    found = tables_built(workspace(tmp_path / "small", landed, engine="engine: {bucket_rows: 1000}\n"))

    assert differing(found, expected) == []


def test_another_split_and_order_of_the_same_rows_gives_the_same_tables(
    landed: Path, expected: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(landed, mixed)
    web = sorted((mixed / "web").glob("*.ndjson.gz"))
    lines = [line for file in web for line in gzip.decompress(file.read_bytes()).splitlines()]
    random.Random(7).shuffle(lines)
    for file in web:
        file.unlink()
    for number in range(3):
        (mixed / "web" / f"part{number}.ndjson").write_bytes(b"\n".join(lines[number::3]) + b"\n")

    found = tables_built(workspace(tmp_path / "night", mixed))

    assert differing(found, expected) == []


def test_two_nights_give_the_tables_of_one(landed: Path, expected: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copytree(landed, first)
    later = sorted((first / "web").glob("*.ndjson.gz"))[-2:]
    for file in later:
        file.unlink()
    tables_built(workspace(tmp_path / "night", first))
    for file in later:
        shutil.copy(landed / "web" / file.name, tmp_path / "night" / "landing" / "web")

    found = tables_built(Workspace(tmp_path / "night"))

    assert differing(found, expected) == []


def test_a_few_rows_kept_of_a_large_frame_do_not_keep_its_texts() -> None:
    texts = pa.table({"text": pa.array([f"{number}" + "x" * 2_000 for number in range(20_000)], pa.large_string())})
    held = pa.total_allocated_bytes()

    kept = by_itself(pl.DataFrame(texts).filter(pl.int_range(pl.len()) == 5))
    del texts

    assert kept["text"].to_list() == ["5" + "x" * 2_000]
    assert held - pa.total_allocated_bytes() > 30_000_000
