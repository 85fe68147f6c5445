"""Drift at the border: files whose columns are not those that their source is expected to have, held to its policy."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import polars as pl

from pipelines import readers
from pipelines.errors import UnreadableFile
from pipelines.readers import Feed
from pipelines.warehouse import Connection, as_arrow, sql_text
from transforms.contracts import TABLES
from transforms.drift import (
    first_unknown,
    known_columns,
    new_columns,
    policy_for_missing,
    type_conflicts,
)
from transforms.mapping import WITH_HEADER, Source, Wanted, lacking

SAMPLED = 200

Note = Callable[[list[str]], None]


def unnoted(_columns: list[str]) -> None:
    """Nobody wants to know the columns."""


def rows_of(path: Path, feed: Feed, needed: Wanted, *, note: Note = unnoted) -> Iterator[pl.DataFrame]:
    """The rows of one file in parts; where a header differs from the schema of the source, as its policy says.

    `note` is told the names in the header, or the top-level keys of the first lines; of native formats nothing.
    Raises UnreadableFile as readers do, and for a header that the schema refuses.
    """
    header = None if feed.native else readers.columns_of(path, feed.source)
    lacked, added = _told_by_header(header, feed.source) if header else ([], [])
    for number, part in enumerate(readers.read(path, feed.source, replace(needed, texts=(*needed.texts, *added)))):
        if number == 0 and feed.native is None:
            note(header or _first_keys(part))
        for column in lacked:
            part = part.with_columns(problem=pl.col("problem").fill_null(f"wrong_columns:{column}"))
        for column in added:
            given = pl.when(pl.col(f"raw:{column}") != "").then(pl.lit(f"wrong_columns:{column}"))
            part = part.with_columns(problem=pl.coalesce("problem", given)).drop(f"raw:{column}")
        yield part


def columns_of_files(columns: Mapping[str, list[str]], source: Source) -> pl.DataFrame:
    """What raw.file_columns holds of files, given their columns by file_id."""
    known = set(known_columns(source))
    present = [
        (file_id, name, name.split(".")[0] in known or name in known, True)
        for file_id, names in columns.items()
        for name in dict.fromkeys(names)
    ]
    lacked = (
        [(file_id, name, True, False) for file_id, names in columns.items() for name in lacking(names, source)]
        if source.format in WITH_HEADER
        else []
    )
    table = TABLES["raw.file_columns"]
    frame = pl.DataFrame([*present, *lacked], schema=list(table.schema), orient="row")
    return table.conform(frame.lazy()).collect()


def _first_keys(part: pl.DataFrame) -> list[str]:
    """The top-level keys of the first lines that are JSON objects, in order; no line with a key that is half a surrogate."""
    keys: dict[str, None] = {}
    for line in part.filter(pl.col("problem").is_null())["text"].head(SAMPLED):
        with suppress(ValueError, RecursionError):
            said = json.loads(line)
            "".join(said if isinstance(said, dict) else ()).encode()
            keys |= dict.fromkeys(said if isinstance(said, dict) else ())
    return list(keys)


def _told_by_header(header: list[str], source: Source) -> tuple[list[str], list[str]]:
    """Columns that set rows aside: those that are missing, and new ones; raises UnreadableFile when one refuses the file."""
    missing, new = lacking(header, source), new_columns(header, source)
    frozen = [column for column in missing if policy_for_missing(column, source) == "freeze"]
    if frozen:
        raise UnreadableFile(
            f"it has no column '{frozen[0]}', and the schema of the source freezes it; it has: {', '.join(header)[:300]}; "
            "name its new name under `aliases`, or deliver the file again"
        )
    if new and source.schema_.new == "freeze":
        raise UnreadableFile(
            f"it has the new column '{new[0]}', and the schema of the source says `new: freeze`; "
            "declare it under schema.columns, or map it"
        )
    lacked = [column for column in missing if policy_for_missing(column, source) == "quarantine"]
    return lacked, new if source.schema_.new == "quarantine" else []


def held_to_schema(rows: pl.DataFrame, source: Source, connection: Connection) -> pl.DataFrame:
    """The rows with those set aside whose values the source's schema does not expect.

    Raises UnreadableFile when the schema refuses a file for such a value.
    """
    schema = source.schema_
    if schema.columns:
        _refuse(rows, type_conflicts(rows, source, policy="freeze"), "holds a value of another type in")
        wrong = type_conflicts(rows, source, policy="quarantine")
        rows = rows.with_columns(problem=pl.coalesce("problem", pl.lit("type_conflict:") + wrong))
    if schema.new == "evolve" or source.format != "ndjson":
        return rows
    found = first_unknown(_keys(rows, connection), known_columns(source))
    unknown = rows.select(pl.when(pl.col("problem").is_null()).then(found)).to_series()
    if schema.new == "freeze":
        _refuse(rows, unknown, "has the new key")
    return rows.with_columns(problem=pl.coalesce("problem", pl.lit("wrong_columns:") + unknown))


def _refuse(rows: pl.DataFrame, columns: pl.Series, what: str) -> None:
    place = columns.is_not_null().arg_true()
    if len(place):
        row, column = rows["row"][place[0]], columns[place[0]]
        raise UnreadableFile(
            f"row {row} {what} '{column}', which the schema of the source freezes; mend the file, or change `schema`"
        )


def _keys(rows: pl.DataFrame, connection: Connection) -> pl.Series:
    """The top-level keys of each line that is a JSON object."""
    connection.register("lines", as_arrow(rows.select("text", "problem")))
    found = connection.sql(sql_text("ingest/json_keys.sql")).to_arrow_table()
    connection.unregister("lines")
    return pl.DataFrame(pl.from_arrow(found))["names"]
