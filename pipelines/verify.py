"""Verify: hold the tables that the nights have made against a rebuild from what landed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from pipelines.rebuild import rebuilt
from pipelines.settings import Workspace
from pipelines.warehouse import Connection, Warehouse, attached, quoted
from transforms.contracts import TABLES, Table

COMPARED = tuple(table for name, table in TABLES.items() if name.startswith(("core.", "mart.")))
OURS, REBUILT = "incremental", "rebuilt"


@dataclass(frozen=True)
class Verdict:
    """One table on both sides: rows, hash of the set of rows, and where the first difference lies (None: they are equal)."""

    table: str
    rows: int
    hash: str
    rebuilt_rows: int
    rebuilt_hash: str
    first_difference: str | None


def verify(place: Workspace, *, say: Callable[[str], None]) -> list[Verdict]:
    """Rebuild the tables of core and mart from the files that the workspace has loaded, and compare them.

    The workspace is left as it is. Raises DataError when nothing was loaded yet, when its rules have changed since, or when
    a loaded file is gone; ConfigurationError as a run does.
    """
    if not place.build_file.exists():
        raise DataError(f"nothing was loaded yet in {place.root}; load what landed with: journeys run")
    build = Warehouse(place.build_file, memory=place.configuration.engine.memory)
    loaded = frozenset(build.query("SELECT file_id FROM raw.files")["file_id"])
    _refuse_unfinished(place, build)
    say(f"rebuilding from {len(loaded):,} landed files …")
    with rebuilt(place, loaded) as night:
        return compared(build, night.warehouse.path)


def _refuse_unfinished(place: Workspace, build: Warehouse) -> None:
    """Raise DataError when the tables are not those of the configuration at hand."""
    last = build.query("SELECT configuration_version FROM ops.runs ORDER BY ended_at DESC LIMIT 1")
    if last.is_empty():
        raise DataError(f"no run has ended yet in {place.root}; finish one with: journeys run")
    if last.item() != place.configuration.version:
        raise DataError(f"{place.journey_file} has changed since the last run; run it, then verify: journeys run")


def compared(build: Warehouse, other: Path) -> list[Verdict]:
    """The verdict on every table of core and mart, in order of name."""
    with build.opened() as connection, attached(connection, other, REBUILT):
        return [_verdict(connection, table) for table in COMPARED]


def _verdict(connection: Connection, table: Table) -> Verdict:
    ours, theirs = quoted(table.name), f"{REBUILT}.{quoted(table.name)}"
    rows, own = fingerprint(connection, ours)
    rebuilt_rows, other = fingerprint(connection, theirs)
    difference = None if (rows, own) == (rebuilt_rows, other) else first_difference(connection, table, ours, theirs)
    return Verdict(table.name, rows, own, rebuilt_rows, other, difference)


def fingerprint(connection: Connection, relation: str) -> tuple[int, str]:
    """How many rows a table has, and a hash of the set of them, whatever their order."""
    sql = f"SELECT count(*), hash(count(*), sum(hash(one)), bit_xor(hash(one))) FROM {relation} AS one"
    ((rows, value),) = connection.sql(sql).fetchall()
    return rows, f"{value:016x}"


def first_difference(connection: Connection, table: Table, ours: str, theirs: str) -> str:
    """The first key, in order of the grain, whose rows are not the same on both sides, and what differs."""
    key = ", ".join(quoted(name) for name in table.grain)
    relation = connection.sql(
        f"SELECT '{OURS}' AS side, * FROM (FROM {ours} EXCEPT ALL FROM {theirs}) "
        f"UNION ALL SELECT '{REBUILT}', * FROM (FROM {theirs} EXCEPT ALL FROM {ours}) "
        f"ORDER BY {key}, side LIMIT 2"
    )
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    return _told(table, rows)


def _told(table: Table, rows: list[dict[str, Any]]) -> str:
    first, *others = rows
    where = ", ".join(f"{name} {first[name]}" for name in table.grain)
    if not others or any(first[name] != others[0][name] for name in table.grain) or first["side"] == others[0]["side"]:
        return f"{where}: only in the {first['side']} table"
    differing = [name for name in first if name != "side" and first[name] != others[0][name]]
    told = "; ".join(f"{name} is {first[name]!r}, rebuilt {others[0][name]!r}" for name in differing)
    return f"{where}: {told}"
