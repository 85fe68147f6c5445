"""Exports: when each landed file was exported, and which version of each whole in it counts."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import polars as pl

from pipelines.errors import DataError, UnreadableFile
from pipelines.landing import LandedFile
from pipelines.warehouse import Connection, Warehouse, ask, insert, run, sql_text
from transforms.contracts import TABLES, TIME
from transforms.mapping import Source, Whole
from transforms.times import parsed_times
from transforms.wholes import NEWEST_LAST, newest, shared_with, time_in_name

MANIFEST = "manifest.json"
REREAD = (
    "row_outcomes",
    "file_columns",
    "blocked_values",
    "quarantine",
    "web_events",
    "crm_events",
    "ad_spend",
    "files",
    "exports",
)
EXPORTS = TABLES["raw.exports"]


# ---------------------------------------------------------------- export times


def is_manifest(path: str) -> bool:
    """True for a file that tells when others were exported."""
    name = PurePosixPath(path).name
    return name == MANIFEST or name.endswith(f".{MANIFEST}")


def dated(files: Iterable[LandedFile], source: Source, landing: Path) -> tuple[list[LandedFile], list[tuple[str, str]]]:
    """Files with their export times, the newest first; and path and problem of those whose manifest cannot be read.

    Content that has come under several names has the greatest export time of them. A file without any has landed then.
    """
    if source.whole is None:
        return list(files), []
    found: list[LandedFile] = []
    problems: list[tuple[str, str]] = []
    for file in files:
        if is_manifest(file.relative):
            continue
        try:
            found.append(_dated(file, source.whole, landing, zone=source.time_zone or "UTC"))
        except UnreadableFile as error:
            problems.append((file.relative, str(error)))
    return sorted(found, key=lambda file: (file.is_final, file.exported_at), reverse=True), problems


def _dated(file: LandedFile, whole: Whole, landing: Path, *, zone: str) -> LandedFile:
    told = [(_is_final(name, whole), _exported_at(name, whole, landing, zone=zone)) for name in file.names]
    is_final, exported_at = max((final, time or file.landed_at) for final, time in told)
    return replace(file, is_final=is_final, exported_at=exported_at)


def _is_final(name: str, whole: Whole) -> bool:
    return not any(fnmatchcase(name, pattern) for pattern in whole.provisional)


def _exported_at(name: str, whole: Whole, landing: Path, *, zone: str) -> datetime | None:
    """The export time of a file: its own manifest's, else its name's, else that of its folder's manifest."""
    path = landing / name
    own = _manifest_time(path.with_name(f"{path.name}.{MANIFEST}"), path.name, zone=zone)
    by_name = own or time_in_name(name, whole.exported_at, zone=zone)
    return by_name or _manifest_time(path.with_name(MANIFEST), path.name, zone=zone)


def _manifest_time(manifest: Path, name: str, *, zone: str) -> datetime | None:
    """The export time in a manifest; null when there is none, or it lists other files.

    Raises UnreadableFile when it is not what a manifest should be.
    """
    if not manifest.is_file():
        return None
    try:
        said = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"its manifest {manifest.name} cannot be read ({error}); {_EXPECTED}") from error
    if not isinstance(said, dict) or not isinstance(said.get("exported_at"), str):
        raise UnreadableFile(f"its manifest {manifest.name} has no time 'exported_at'; {_EXPECTED}")
    files = said.get("files")
    if isinstance(files, list) and not any(fnmatchcase(name, str(pattern)) for pattern in files):
        return None
    told = pl.select(parsed_times(pl.lit(said["exported_at"]), format="iso", zone=zone, date_zone=zone)).item()
    if told is None:
        raise UnreadableFile(f"its manifest {manifest.name} says {said['exported_at']!r}; {_EXPECTED}")
    exported_at: datetime = told.astimezone(UTC)
    return exported_at


_EXPECTED = 'write {"exported_at": "2026-01-31T04:15:00Z"}'


# ---------------------------------------------------------------- export times that have changed


def reconsider(warehouse: Warehouse, name: str, files: Sequence[LandedFile]) -> None:
    """Bring the export times of files that were loaded before up to date.

    The same content may have come again under a later name. Where that changes which version of a whole counts, the files
    that hold versions of it are forgotten, so that they are read again. In: the files of the source, with their times.
    Raises DataError when one of them would have to be read again and is not there any more.
    """
    held = warehouse.query(sql_text("ingest/exports_of_source.sql"), {"source": name})
    times = pl.DataFrame(
        [(file.file_id, file.is_final, file.exported_at) for file in files],
        schema={"file_id": pl.String, "is_final": pl.Boolean, "exported_at": TIME},
        orient="row",
    )
    now = held.update(times, on="file_id", how="left")
    changed = held.filter(pl.struct(NEWEST_LAST) != now.select(pl.struct(NEWEST_LAST)).to_series())["file_id"].unique()
    if changed.is_empty():
        return
    counted_before, counted_now = (newest(versions).select("whole", "file_id") for versions in (held, now))
    differs = [
        counted_before.join(counted_now, on=["whole", "file_id"], how="anti"),
        counted_now.join(counted_before, on=["whole", "file_id"], how="anti"),
    ]
    wholes = pl.concat(differs)["whole"].unique()
    again = shared_with(held.filter(pl.col("whole").is_in(wholes.implode()))["file_id"], held)
    gone = again - set(times["file_id"])
    if gone:
        raise DataError(
            f"files of the source '{name}' have come again with another export time, so what they hold has to be read again, but "
            f"{len(gone)} of the files concerned are no longer below the landing folder; put them back"
        )
    entered = now.filter(pl.col("file_id").is_in(changed.implode()) & ~pl.col("file_id").is_in(list(again)))
    with warehouse.writing() as connection:
        run(connection, "ingest/reread_exports.sql", concerned=pl.DataFrame({"file_id": changed}))
        insert(connection, EXPORTS, entered.with_columns(source=pl.lit(name)).select(list(EXPORTS.schema)))
        for table in REREAD if again else ():
            concerned = pl.DataFrame({"file_id": sorted(again)})
            run(connection, f"ingest/reread_{table}.sql", concerned=concerned)


# ---------------------------------------------------------------- versions within a transaction


class Versions:
    """Which rows of a transaction are part of the newest version of their whole; versions are entered as they are seen."""

    def __init__(self, name: str, event_table: str, connection: Connection, files: Sequence[LandedFile]) -> None:
        self.name = name
        self.event_table = event_table.removeprefix("raw.")
        self.connection = connection
        self.files = pl.DataFrame(
            {
                "file": range(len(files)),
                "file_id": [file.file_id for file in files],
                "is_final": [file.is_final for file in files],
                "exported_at": [file.exported_at for file in files],
            },
            schema={"file": pl.UInt32, "file_id": pl.String, "is_final": pl.Boolean, "exported_at": TIME},
        )
        self.entered = pl.DataFrame(schema={"file": pl.UInt32, "whole": pl.String})

    def split(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows that count or cannot be used, and those of versions that a newer one replaces.

        In: row summaries. What older versions had become is taken back.
        """
        seen = rows.filter(pl.col("reason").is_null()).select("file", "whole").unique()
        if seen.is_empty():
            return rows, rows.clear()
        self._enter(seen.join(self.entered, on=["file", "whole"], how="anti"))
        versions = self._versions_of(seen)
        counted = newest(versions).join(self.files.select("file", "file_id"), on="file_id").select("file", "whole")
        outdated = seen.join(counted, on=["file", "whole"], how="anti").with_columns(reason=pl.lit(None, pl.String))
        on = ["file", "whole", "reason"]
        old = rows.join(outdated, on=on, how="semi", nulls_equal=True, maintain_order="left")
        return rows.join(outdated, on=on, how="anti", nulls_equal=True, maintain_order="left"), old

    def _enter(self, seen: pl.DataFrame) -> None:
        """Enter versions that were not met before, and take back those that they replace."""
        if seen.is_empty():
            return
        self.entered = pl.concat([self.entered, seen])
        entered = seen.join(self.files, on="file").with_columns(source=pl.lit(self.name))
        before = self._versions_of(seen)
        insert(self.connection, EXPORTS, entered.select(list(EXPORTS.schema)).sort("whole", "file_id"))
        now = newest(pl.concat([before, entered.select(before.columns)]))
        counted = newest(before).join(now, on=["whole", "file_id"], how="anti").select("whole", "file_id")
        if counted.is_empty():
            return
        rows = ask(self.connection, "ingest/outdated_rows.sql", outdated=counted)
        run(self.connection, f"ingest/delete_displaced_{self.event_table}.sql", displaced=rows)
        run(self.connection, "ingest/supersede_outcomes.sql", outdated=counted)

    def _versions_of(self, seen: pl.DataFrame) -> pl.DataFrame:
        wholes = seen.select("whole").unique()
        return ask(self.connection, "ingest/exports_of_wholes.sql", {"source": self.name}, seen=wholes)
