"""Replays: rows that were kept aside are read again once what was wrong is mended; a row moves, it never doubles."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from pipelines.desk import desks_of
from pipelines.errors import ConfigurationError, DataError
from pipelines.journal import JOURNAL, append
from pipelines.landing import JUDGED_BY_THE_CLOCK, REPLAYS, Replay
from pipelines.settings import Workspace
from pipelines.warehouse import Warehouse, sql_text
from transforms.canonical import REASONS
from transforms.nearest import did_you_mean


@dataclass(frozen=True)
class Moved:
    """What became of replayed rows: how many there were, and how many of each outcome (and reason) they are now."""

    reason: str
    rows: int
    now: list[dict[str, Any]]


def replay(place: Workspace, *, reason: str, path: str | None, run: Callable[[], None]) -> Moved:
    """Note the replay in the journal, run the night, and say what became of the rows.

    Rows move because the mapping of their source has changed (all of its files are then read again), or, those that were
    kept aside as future_time, because time has passed: they are judged as if their file had landed now.
    Raises ConfigurationError for an unknown reason or file (with the nearest), DataError when nothing would move.
    """
    refuse_unknown("reason", reason, REASONS)
    before = _kept_aside(place, reason, path)
    if before.is_empty():
        return Moved(reason, 0, [])
    if reason != JUDGED_BY_THE_CLOCK:
        _refuse_unchanged(place, before["source"].unique().sort().to_list())
    now = datetime.now(UTC).isoformat()
    files = before.select("file_id", "source", "path").unique().sort("path").rows()
    append(
        place.landing / JOURNAL / REPLAYS,
        [Replay(file_id, source, name, reason, now) for file_id, source, name in files],
    )
    run()
    return Moved(reason, before.height, _now(place, before))


def refuse_unknown(what: str, name: str, known: Iterable[str]) -> None:
    """Raise ConfigurationError, with the nearest and a few of all, for a name that is not known."""
    choices = sorted(known)
    if name not in choices:
        hint = did_you_mean(name, choices)
        raise ConfigurationError(f"unknown {what} '{name}'{hint}; there are: {', '.join(choices[:20])}")


def _kept_aside(place: Workspace, reason: str, path: str | None) -> pl.DataFrame:
    """The rows kept aside for a reason, of one file or of all: file_id, row, source, path."""
    if not place.build_file.exists():
        raise DataError(f"nothing was loaded yet in {place.root}; load what landed with: journeys run")
    warehouse = Warehouse(place.build_file)
    with warehouse.opened():
        if path is not None:
            refuse_unknown("file", path, warehouse.query("SELECT path FROM raw.files")["path"])
        return warehouse.query(sql_text("ops/replayed_rows.sql"), {"reason": reason, "path": path})


def _refuse_unchanged(place: Workspace, sources: list[str]) -> None:
    """Raise DataError when the rules of all these sources are still those by which their files were read."""
    configuration = place.configuration
    read = dict(Warehouse(place.build_file).query(sql_text("ingest/known_sources.sql")).rows())
    for name in sources:
        source = configuration.sources.get(name)
        if source is None:
            return
        desks = desks_of(name, source, place.landing, journey=configuration.journey, hmac_key=place.hmac_key)
        if desks[0].rule_version != read.get(name):
            return
    raise DataError(
        f"these rows would be kept aside again: the rules of {', '.join(sources)} are those by which their files were read; "
        f"mend the mapping in {place.journey_file}, then replay"
    )


def _now(place: Workspace, before: pl.DataFrame) -> list[dict[str, Any]]:
    """Outcome and reason of rows as they are now, with how many of each."""
    warehouse = Warehouse(place.build_file)
    with warehouse.opened():
        after = warehouse.query(sql_text("ops/outcomes_of_files.sql"), {"files": before["file_id"].unique().to_list()})
    joined = before.select("file_id", "row").join(after, on=["file_id", "row"], how="left")
    counted = joined.group_by("outcome", "reason").agg(rows=pl.len())
    return counted.sort("rows", "outcome", "reason", descending=[True, False, False], nulls_last=True).rows(named=True)


def sentence(moved: Moved, path: str | None) -> str:
    """What became of the rows, as an operator reads it."""
    where = f" of {path}" if path else ""
    if not moved.rows:
        return f"No row{where} is kept aside as {moved.reason}."
    parts = [
        f"{item['rows']:,} {item['outcome'] or 'gone with their file'}"
        + (f" ({item['reason']})" if item["reason"] else "")
        for item in moved.now
    ]
    rows = "1 row" if moved.rows == 1 else f"{moved.rows:,} rows"
    return f"{rows}{where} kept aside as {moved.reason}; now {', '.join(parts)}."
