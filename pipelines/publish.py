"""Publishing: the warehouse and the report site that people open, swapped in whole or not at all."""

import os
import shutil
from pathlib import Path

from pipelines.warehouse import SCHEMAS, Connection, Warehouse, create, create_macros_and_views, literal, quoted, scalar
from transforms.contracts import TABLES

WITHHELD = {
    "raw.quarantine": ("raw_text",),
    "raw.web_events": ("properties",),
    "raw.crm_events": ("properties",),
    "raw.crm_records": ("properties",),
}


def publish_warehouse(warehouse: Warehouse, published: Path) -> None:
    """Copy the build file's tables, without raw payloads, to a file beside the published one and rename it over that.

    Whoever has the published file open keeps reading the old one; whoever opens it next sees the new one. The copy is
    written to disk before the rename, and is read-only.
    """
    published.parent.mkdir(parents=True, exist_ok=True)
    draft = published.with_suffix(".draft")
    for leftover in (draft, draft.with_name(draft.name + ".wal")):
        leftover.unlink(missing_ok=True)
    with warehouse.opened() as connection:
        build = scalar(connection, "SELECT current_database()")
        connection.execute(f"ATTACH {literal(draft)} AS draft")
        try:
            connection.execute("USE draft")
            fill(connection, build)
            connection.execute("CHECKPOINT draft")
        finally:
            connection.execute(f"USE {quoted(build)}")
            connection.execute("DETACH draft")
    flush(draft)
    draft.chmod(0o444)
    os.replace(draft, published)
    flush(published.parent)


def fill(connection: Connection, build: str) -> None:
    """Fill the attached draft: tables, then macros, then the views that use them."""
    for schema in SCHEMAS:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in TABLES.values():
        create(connection, table)
        withheld = ", ".join(f"NULL AS {quoted(column)}" for column in WITHHELD.get(table.name, ()))
        columns = f"* REPLACE ({withheld})" if withheld else "*"
        connection.execute(
            f"INSERT INTO {quoted(table.name)} SELECT {columns} FROM {quoted(build)}.{quoted(table.name)}"
        )
    create_macros_and_views(connection)


def stage_site(pages: dict[str, bytes], folder: Path) -> None:
    """Write the files of a site to a folder, replacing what was there, and see them to disk."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in sorted(pages.items()):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        flush(target)


def publish_site(staged: Path, reports: Path, day: str) -> Path:
    """Put the staged site in place of the day's folder and of `latest`, each swapped in by rename.

    Returns the path of the overview page in `latest`.
    """
    reports.mkdir(parents=True, exist_ok=True)
    for name in (day, "latest"):
        draft, old = reports / f".{name}.draft", reports / f".{name}.old"
        for leftover in (draft, old):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.copytree(staged, draft)
        if (reports / name).exists():
            os.replace(reports / name, old)
        os.replace(draft, reports / name)
        shutil.rmtree(old, ignore_errors=True)
    flush(reports)
    return reports / "latest" / "index.html"


def flush(path: Path) -> None:
    """See a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
