"""Nothing new: whether a night finds everything as the last published one left it, so that there is nothing to make."""

import hashlib
import json
from functools import cache
from pathlib import Path

import polars as pl

from pipelines.engines.increments import built, note_built
from pipelines.errors import DataError
from pipelines.settings import Workspace
from pipelines.warehouse import Connection, Warehouse, open_published, run, scalar, sql_text
from reports.archive import NEWEST

NIGHT = "night"
PRODUCT = Path(__file__).resolve().parents[1]
ROOMS = ("pipelines", "transforms", "reports", "sql")
NEWEST_RUN = "SELECT max(run_id) FROM ops.runs"


def is_unchanged(warehouse: Warehouse, place: Workspace, *, retracted: pl.DataFrame) -> bool:
    """True when core, mart and the report would be made again from the same, by the same rules, and are still there.

    When they would not, that is written down first, since what a run leaves when it is stopped half-way is neither old nor new.
    """
    with warehouse.opened() as connection:
        same = built(connection, NIGHT, stamp(connection, place, retracted=retracted)) is not None
        if same and is_published(connection, place.published) and is_drawn(warehouse, place.reports / NEWEST):
            return True
        run(connection, "state/forget_built.sql", {"name": NIGHT})
        return False


def note_published(warehouse: Warehouse, place: Workspace, *, retracted: pl.DataFrame) -> None:
    """Write down what everything was made from that has just been published."""
    with warehouse.writing() as connection:
        note_built(connection, NIGHT, stamp(connection, place, retracted=retracted))


def stamp(connection: Connection, place: Workspace, *, retracted: pl.DataFrame) -> str:
    """Hash of all that goes into core, mart and the report: what landed, what was taken back, the rules, and the product."""
    said = (
        scalar(connection, sql_text("state/landed_version.sql")),
        sorted(retracted["pair_id"]),
        place.configuration.model_dump_json(),
        place.configuration.version,
        product_code(),
    )
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def is_published(connection: Connection, published: Path) -> bool:
    """True when the published warehouse is there, and of the last run that the build file knows."""
    try:
        with open_published(published) as other:
            return bool(scalar(other, NEWEST_RUN) == scalar(connection, NEWEST_RUN))
    except DataError:
        return False


def is_drawn(warehouse: Warehouse, folder: Path) -> bool:
    """True when a folder holds every page of the report that was drawn last, byte by byte."""
    pages = warehouse.read("ops.report_manifest").select("page", "sha256").rows()
    return bool(pages) and all(_digest(folder / page) == digest for page, digest in pages)


def _digest(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


@cache
def product_code() -> str:
    """Hash of everything the product is made of that can change a number or a page."""
    files = [file for room in ROOMS for file in (PRODUCT / room).rglob("*") if file.is_file()]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.suffix != ".pyc"):
        digest.update(f"{file.relative_to(PRODUCT)}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
