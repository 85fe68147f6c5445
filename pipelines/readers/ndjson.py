"""NDJSON: one JSON object a line."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.errors import UnreadableFile
from pipelines.readers import lines
from pipelines.warehouse import Connection, as_arrow, sql_text
from transforms.mapping import PERSONAL, Wanted

BATCHES = 8
SNIFFED = 100


def read(path: Path) -> Iterator[pl.DataFrame]:
    """The lines of a file in parts: row, text, problem.

    Raises UnreadableFile for a file that is one JSON document, or a table, instead of an object a line.
    """
    for number, part in enumerate(lines.read(path)):
        if number == 0:
            refuse_other_formats(part)
        yield part


def refuse_other_formats(lines: pl.DataFrame) -> None:
    """Raise UnreadableFile when the first lines are those of a JSON document or of a table, and few lines are JSON objects."""
    sample = [line.strip() for line in lines.filter(pl.col("problem").is_null())["text"].head(SNIFFED)]
    first = sample[:2]
    if not first or sum(_is_object(line) for line in sample) * 2 >= len(sample):
        return
    if first[0] == "[" or first[0].startswith("[{"):
        raise UnreadableFile(
            "line 1: it is one JSON list; expected one JSON object a line (NDJSON), without the brackets"
        )
    if first[0] == "{":
        raise UnreadableFile("line 1: a JSON object spread over lines; expected one JSON object a line (NDJSON)")
    if len(first) == 2 and not any(line.startswith("{") for line in first):
        for delimiter in ",;\t|":
            if first[0].count(delimiter) == first[1].count(delimiter) > 0:
                raise UnreadableFile(
                    f"line 1: it looks like a table with the delimiter {delimiter!r}; expected one JSON object a line, "
                    "or set `format: csv` for this source"
                )


def _is_object(line: str) -> bool:
    """True for one whole JSON object."""
    try:
        return line.startswith("{") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def extract(rows: pl.DataFrame, wanted: Wanted, connection: Connection) -> pl.DataFrame:
    """The wanted values of each line, `raw:<path>` as text and `json:<path>` as JSON without personal keys.

    A line that is no JSON object gets the problem parse_error.
    """
    inner = {path: parent for path in wanted.texts if (parent := _parent(path, wanted.fragments))}
    paths = {f"raw:{path}": path for path in wanted.texts if path not in inner}
    paths |= {f"json:{path}": path for path in wanted.fragments}
    lines = rows.select("text", "problem")
    found: pl.DataFrame | None = None
    for layer in layers(paths) or [{}]:
        read = _transformed(lines, layer, connection)
        found = read if found is None else found.hstack(read.drop("is_object"))
    complete = rows if found is None else rows.hstack(found)
    for parent in sorted(set(inner.values())):
        members = {f"raw:{path}": path.removeprefix(f"{parent}.") for path, owner in inner.items() if owner == parent}
        complete = _with_members(complete, f"json:{parent}", members, connection)
    for path in wanted.fragments:
        complete = _without(complete, f"json:{path}", patch_of(path, wanted.left_out), connection)
    bad = pl.col("problem").is_null() & ~pl.col("is_object")
    complete = complete.with_columns(problem=pl.when(bad).then(pl.lit("parse_error")).otherwise("problem")).drop(
        "is_object"
    )
    if wanted.rest:
        whole = pl.when(pl.col("problem").is_null()).then("text").alias("json:*")
        patch = nested({path: None for path in wanted.left_out})
        complete = _without(complete.with_columns(whole), "json:*", patch, connection)
    return complete


def layers(paths: dict[str, str]) -> list[dict[str, str]]:
    """Split paths so that in no layer one path lies inside another (a and a.b cannot be read in one go)."""
    made: list[dict[str, str]] = []
    for name, path in sorted(paths.items(), key=lambda item: (item[1], item[0])):
        for layer in made:
            if not any(_overlap(path, other) for other in layer.values()):
                layer[name] = path
                break
        else:
            made.append({name: path})
    return made


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _parent(path: str, fragments: tuple[str, ...]) -> str | None:
    """The property object that a path lies in."""
    return next((fragment for fragment in fragments if path.startswith(f"{fragment}.")), None)


def _transformed(lines: pl.DataFrame, layer: dict[str, str], connection: Connection) -> pl.DataFrame:
    """is_object and the values of one layer, in the order of the lines."""
    kinds = {path: "JSON" if name.startswith("json:") else "VARCHAR" for name, path in layer.items()}
    shape = json.dumps(nested(kinds) or {"": "VARCHAR"})
    connection.register("lines", _in_batches(lines))
    found = connection.sql(sql_text("ingest/json_values.sql"), params={"shape": shape}).to_arrow_table()
    connection.unregister("lines")
    values = [_value(path).alias(name) for name, path in layer.items()]
    return pl.DataFrame(pl.from_arrow(found)).select("is_object", *values)


def _in_batches(frame: pl.DataFrame) -> pa.Table:
    """The frame in some record batches, so that the database works on them at the same time (it keeps their order)."""
    size = max(1, -(-frame.height // BATCHES))
    return pa.concat_tables([as_arrow(frame.slice(start, size)) for start in range(0, max(1, frame.height), size)])


def _with_members(rows: pl.DataFrame, column: str, members: dict[str, str], connection: Connection) -> pl.DataFrame:
    """The rows with members of one JSON column; only the objects that name one of them are looked into."""
    keys = [json.dumps(path.split(".")[0], ensure_ascii=False) for path in members.values()]
    index = rows.select(pl.col(column).str.contains_any(keys).fill_null(False)).to_series().arg_true()
    objects = pl.DataFrame({"text": rows[column].gather(index)}).with_columns(problem=pl.lit(None, pl.String))
    empty = pl.Series(pl.repeat(None, rows.height, dtype=pl.String, eager=True))
    for layer in layers(members):
        found = _transformed(objects, layer, connection) if objects.height else None
        values = [(empty if found is None else empty.scatter(index, found[name])).alias(name) for name in layer]
        rows = rows.with_columns(values)
    return rows


def _value(path: str) -> pl.Expr:
    value = pl.col("document")
    for part in path.split("."):
        value = value.struct.field(part)
    return value.cast(pl.String)


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Values by dotted path as nested mappings; a value above another one wins."""
    tree: dict[str, Any] = {}
    for path, value in sorted(values.items(), key=lambda item: item[0].count("."), reverse=True):
        *parents, leaf = path.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree


def patch_of(fragment: str, left_out: Iterable[str]) -> dict[str, Any]:
    """The JSON merge patch that takes personal keys out of one property object."""
    inner = {path.removeprefix(f"{fragment}."): None for path in left_out if path.startswith(f"{fragment}.")}
    usual = {spelling: None for name in PERSONAL for spelling in (name, name.capitalize(), name.upper())}
    return nested({**usual, **inner})


def _without(rows: pl.DataFrame, column: str, patch: dict[str, Any], connection: Connection) -> pl.DataFrame:
    """The rows with the keys of the patch taken out of the JSON objects of one column."""
    if not patch:
        return rows
    keys = [json.dumps(key, ensure_ascii=False) for key in sorted(_leaves(patch))]
    concerned = pl.col(column).str.contains_any(keys).fill_null(False) & pl.col(column).str.starts_with("{").fill_null(
        False
    )
    index = rows.select(concerned).to_series().arg_true()
    if index.is_empty():
        return rows
    connection.register("objects", _in_batches(pl.DataFrame({"object": rows[column].gather(index)})))
    patched = connection.sql(sql_text("ingest/json_without.sql"), params={"patch": json.dumps(patch)}).to_arrow_table()
    connection.unregister("objects")
    clean = pl.DataFrame(pl.from_arrow(patched))["object"]
    return rows.with_columns(rows[column].scatter(index, clean).alias(column))


def _leaves(patch: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for key, value in patch.items():
        found |= _leaves(value) if isinstance(value, dict) and value else {key}
    return found
