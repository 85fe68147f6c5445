"""Publishing: the warehouse and the report site that people open, swapped in whole or not at all."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from html import unescape
from pathlib import Path

from pipelines.warehouse import (
    SCHEMAS,
    Connection,
    Warehouse,
    create,
    create_macros_and_views,
    describe,
    literal,
    quoted,
    scalar,
)
from reports.archive import NEWEST, KeptReport, build_archive
from transforms.contracts import TABLES

EMPTY = "empty"

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
    with drafted(published) as draft:
        write(warehouse, draft, fill)


def publish_run(warehouse: Warehouse, published: Path) -> None:
    """Publish the warehouse as it was published before, with what is told of runs as the build file has it now."""
    with drafted(published) as draft:
        shutil.copyfile(published, draft)
        write(warehouse, draft, refill_ops)


@contextmanager
def drafted(published: Path) -> Iterator[Path]:
    """A file to be written inside the block, seen to disk after it and renamed over the published one, read-only."""
    published.parent.mkdir(parents=True, exist_ok=True)
    draft = published.with_suffix(".draft")
    for leftover in (draft, draft.with_name(draft.name + ".wal")):
        leftover.unlink(missing_ok=True)
    yield draft
    flush(draft)
    draft.chmod(0o444)
    os.replace(draft, published)
    flush(published.parent)


def write(warehouse: Warehouse, draft: Path, content: Callable[[Connection, str], None]) -> None:
    """Write a draft from the build file: `content` is called while the draft is the current database, with the other's name."""
    with warehouse.opened() as connection:
        build = scalar(connection, "SELECT current_database()")
        connection.execute(f"ATTACH {literal(draft)} AS draft")
        try:
            connection.execute("USE draft")
            content(connection, build)
            connection.execute("CHECKPOINT draft")
        finally:
            connection.execute(f"USE {quoted(build)}")
            connection.execute("DETACH draft")


def refill_ops(connection: Connection, build: str) -> None:
    """Put the build file's tables of runs in place of the draft's."""
    for name in TABLES:
        if name.startswith("ops."):
            connection.execute(f"DELETE FROM {quoted(name)}")
            connection.execute(f"INSERT INTO {quoted(name)} FROM {quoted(build)}.{quoted(name)}")


def fill(connection: Connection, build: str) -> None:
    """Fill the attached draft: tables, then macros, then the views that use them."""
    connection.execute("BEGIN TRANSACTION")
    for schema in SCHEMAS:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in TABLES.values():
        create(connection, table)
        describe(connection, table)
    connection.execute("COMMIT")
    for table in TABLES.values():
        withheld = ", ".join(f"NULL AS {quoted(column)}" for column in WITHHELD.get(table.name, ()))
        columns = f"* REPLACE ({withheld})" if withheld else "*"
        connection.execute(
            f"INSERT INTO {quoted(table.name)} SELECT {columns} FROM {quoted(build)}.{quoted(table.name)}"
        )
    connection.execute("BEGIN TRANSACTION")
    create_macros_and_views(connection)
    connection.execute("COMMIT")


def stage_site(pages: dict[str, bytes], folder: Path) -> None:
    """Write the files of a site to a folder, replacing what was there, and see them to disk."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in sorted(pages.items()):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        flush(target)


def publish_site(staged: Path, reports: Path, day: str, *, site_name: str) -> Path:
    """Put the staged site in place of the day's folder and of `latest`, each swapped in by rename, and list it in the archive.

    Returns the path of the overview page in `latest`.
    """
    reports.mkdir(parents=True, exist_ok=True)
    for name in (day, NEWEST):
        draft, old = reports / f".{name}.draft", reports / f".{name}.old"
        for leftover in (draft, old):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.copytree(staged, draft)
        if (reports / name).exists():
            os.replace(reports / name, old)
        os.replace(draft, reports / name)
        shutil.rmtree(old, ignore_errors=True)
    draft = reports / ".index.draft"
    draft.write_bytes(build_archive(kept_reports(reports), site_name=site_name))
    flush(draft)
    os.replace(draft, reports / "index.html")
    flush(reports)
    return reports / NEWEST / "index.html"


def kept_reports(reports: Path) -> list[KeptReport]:
    """The reports in a folder of them, each in its folder of a day."""
    first_pages = sorted(page for page in reports.glob("*/index.html") if is_kept(page.parent.name))
    return [kept_report(page) for page in first_pages]


def is_kept(folder: str) -> bool:
    """True for the folder of a day's report, or of one before any event; drafts and `latest` are none."""
    return folder == EMPTY or day_of(folder) is not None


def day_of(folder: str) -> date | None:
    """The day that a folder is named for; None for another name."""
    try:
        return date.fromisoformat(folder) if len(folder) == 10 else None
    except ValueError:
        return None


def kept_report(first_page: Path) -> KeptReport:
    """A report by what its first page says."""
    text = first_page.read_text(encoding="utf-8")

    def said(pattern: str) -> str:
        found = re.search(pattern, text, re.DOTALL)
        return unescape(found[1]).strip() if found else "–"

    folder = first_page.parent.name
    heading, version = said("<h1>(.*?)</h1>"), said("Data version: <code>(.*?)</code>")
    return KeptReport(folder, day_of(folder), heading, version)


def flush(path: Path) -> None:
    """See a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
