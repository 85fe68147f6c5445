"""Objects: what is wanted of JSON objects that stand inside of another value, such as the text of a column."""

import json
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from pipelines.readers import ndjson
from pipelines.warehouse import Connection, as_arrow, sql_text
from transforms.mapping import PERSONAL, Wanted


def outermost(wanted: Wanted) -> Wanted:
    """What is wanted, without the property objects inside of another one, and without what `looked_into` leaves out itself."""
    inner = {path for owner in wanted.objects for path in _below(wanted.fragments, owner)}
    later = {
        path
        for owner in wanted.objects
        if _leaves_out_by_prefix(wanted, owner)
        for path in _below(wanted.left_out, owner)
    }
    return replace(
        wanted,
        fragments=tuple(path for path in wanted.fragments if path not in inner),
        left_out=tuple(path for path in wanted.left_out if path not in later),
    )


def looked_into(rows: pl.DataFrame, wanted: Wanted, connection: Connection) -> pl.DataFrame:
    """The rows with what is wanted of their objects (`wanted.objects`), which are given as JSON in `json:<name>`.

    An object that is written as text is read as the object it stands for; text that is none gets the problem parse_error.
    Keys that are left out by how they begin are taken out.
    """
    for owner in wanted.objects:
        rows = _unwrapped(rows, owner, wanted, connection)
        for path in _below(wanted.fragments, owner):
            rows = _with_inner_object(rows, owner, path, wanted, connection)
        if _leaves_out_by_prefix(wanted, owner):
            rows = _without_keys(rows, f"json:{owner}", _inside(wanted.left_out, owner), connection)
    if wanted.rest and any(path.endswith("*") for path in wanted.left_out):
        rows = _without_keys(rows, "json:*", wanted.left_out, connection)
    return rows


def _leaves_out_by_prefix(wanted: Wanted, owner: str) -> bool:
    """True where keys of an object are left out by how they begin."""
    return any(key.endswith("*") and "." not in key for key in _inside(wanted.left_out, owner))


def _below(paths: tuple[str, ...], owner: str) -> tuple[str, ...]:
    return tuple(path for path in paths if path.startswith(f"{owner}."))


def _inside(paths: tuple[str, ...], owner: str) -> tuple[str, ...]:
    return tuple(path.removeprefix(f"{owner}.") for path in _below(paths, owner))


def _unwrapped(rows: pl.DataFrame, owner: str, wanted: Wanted, connection: Connection) -> pl.DataFrame:
    """The rows with the objects that were text, or still have personal keys, and the texts that are wanted of them."""
    personal = [spelling for name in PERSONAL for spelling in (name, name.capitalize(), name.upper())]
    left_out = (*_inside(wanted.left_out, owner), *personal)
    given = pl.col(f"json:{owner}")
    concerned = given.str.starts_with('"') | given.str.contains_any([json.dumps(key) for key in left_out])
    index = rows.select(concerned.fill_null(False)).to_series().arg_true()
    if index.is_empty():
        return rows
    texts = _asked("ingest/json_text.sql", {}, rows[f"json:{owner}"].gather(index), connection)
    inside = Wanted(texts=_inside(wanted.texts, owner), rest=True, left_out=left_out)
    found = ndjson.extract(_lines(texts), inside, connection)
    read = [rows[f"json:{owner}"].scatter(index, found["json:*"])]
    for path in inside.texts:
        known = rows[f"raw:{owner}.{path}"]
        told = found.select(pl.coalesce(f"raw:{path}", known.gather(index))).to_series()
        read.append(known.scatter(index, told))
    wrong = found.select(pl.when(texts != "null").then("problem")).to_series()
    problem = pl.Series("found", [None], dtype=pl.String).new_from_index(0, rows.height).scatter(index, wrong)
    return rows.with_columns(*read).with_columns(problem=pl.coalesce("problem", problem))


def _with_inner_object(
    rows: pl.DataFrame, owner: str, path: str, wanted: Wanted, connection: Connection
) -> pl.DataFrame:
    """The rows with an object that lies inside of another one; only the objects that name it are looked into."""
    name, key = f"json:{path}", path.removeprefix(f"{owner}.")
    if name not in rows.columns:
        rows = rows.with_columns(pl.lit(None, pl.String).alias(name))
    named = pl.col(f"json:{owner}").str.contains(json.dumps(key), literal=True).fill_null(False)
    index = rows.select(named).to_series().arg_true()
    if index.is_empty():
        return rows
    inside = Wanted((), (key,), left_out=_inside(wanted.left_out, owner))
    found = ndjson.extract(_lines(rows[f"json:{owner}"].gather(index)), inside, connection)
    return rows.with_columns(rows[name].scatter(index, found[f"json:{key}"]))


def _without_keys(rows: pl.DataFrame, name: str, left_out: tuple[str, ...], connection: Connection) -> pl.DataFrame:
    """The rows with objects that have no key that is left out, by its name or by how it begins."""
    own = [key for key in left_out if "." not in key]
    prefixes = tuple(key[:-1] for key in own if key.endswith("*"))
    sought = [f'"{key[:-1]}' if key.endswith("*") else json.dumps(key) for key in own]
    concerned = pl.col(name).str.contains_any(sought).fill_null(False)
    index = rows.select(concerned).to_series().arg_true()
    if index.is_empty():
        return rows
    objects = rows[name].gather(index)
    patch = {key: None for key in _keys(objects, connection) if key.startswith(prefixes) or key in own}
    clean = _asked("ingest/json_without.sql", {"patch": json.dumps(patch)}, objects, connection)
    return rows.with_columns(rows[name].scatter(index, clean))


def _keys(objects: pl.Series, connection: Connection) -> list[str]:
    """The keys that the objects have, each once."""
    connection.register("lines", as_arrow(_lines(objects)))
    found = connection.sql(sql_text("ingest/json_keys.sql")).to_arrow_table()
    connection.unregister("lines")
    return pl.DataFrame(pl.from_arrow(found))["names"].explode().drop_nulls().unique().sort().to_list()


def _lines(texts: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"text": texts}).with_columns(problem=pl.lit(None, pl.String))


def _asked(statement: str, parameters: Mapping[str, str], objects: pl.Series, connection: Connection) -> pl.Series:
    """The column `object` that a statement makes of JSON objects."""
    connection.register("objects", as_arrow(pl.DataFrame({"object": objects})))
    found = connection.sql(sql_text(statement), params=dict(parameters)).to_arrow_table()
    connection.unregister("objects")
    return pl.DataFrame(pl.from_arrow(found))["object"]
