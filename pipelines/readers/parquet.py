"""Parquet: columns, and members of nested columns, as the text that a mapping reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import UnreadableFile
from pipelines.readers.delimited import renamed
from pipelines.readers.text import opened
from transforms.mapping import Source, Wanted, json_object

MAGIC = b"PAR1"
PART_ROWS = 100_000
EXACT_WHOLE = 2**53


def read(path: Path, source: Source, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """The rows in parts: row, text (null), problem (null), and the wanted columns as text and JSON.

    Raises UnreadableFile for a file that is not Parquet to its end, or has none of the mapped columns.
    """
    with _file(path) as file:
        given = file.schema_arrow.names
        names = renamed(given, source)
        tops = {*wanted.columns, *(column.split(".")[0] for column in wanted.columns)}
        used = {there: name for there, name in zip(given, names, strict=True) if wanted.rest or name in tops}
        if wanted.columns and not used:
            raise UnreadableFile(
                f"none of the mapped columns ({', '.join(wanted.columns)}) is in it; it has: {', '.join(names)}"
            )
        seen = 0
        for batch in file.iter_batches(batch_size=PART_ROWS, columns=list(used)):
            frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch]))).rename(used)
            yield _rows(frame, wanted, seen)
            seen += frame.height


def columns_of(path: Path, source: Source) -> list[str]:
    """The names of the columns as the mapping calls them, members of nested columns with their path."""
    with _file(path) as file:
        empty = pl.DataFrame(pl.from_arrow(file.schema_arrow.empty_table()))
    empty.columns = renamed(empty.columns, source)
    return [name for column, dtype in empty.schema.items() for name in _paths(column, dtype)]


def _paths(name: str, dtype: Any) -> list[str]:
    inner = dtype.to_schema().items() if isinstance(dtype, pl.Struct) else ()
    return [name, *(path for member, kind in inner for path in _paths(f"{name}.{member}", kind))]


@contextmanager
def _file(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        if path.suffix.lower() in (".gz", ".zst") and not _is_bare(path):
            with opened(path) as stream:
                yield pq.ParquetFile(pa.BufferReader(stream.read()))
        else:
            with pq.ParquetFile(path, memory_map=True) as file:
                yield file
    except (pa.ArrowException, OSError, EOFError) as error:
        raise UnreadableFile(
            f"not a complete Parquet file ({str(error).splitlines()[0]}); deliver it again, under a new name"
        ) from error


def _is_bare(path: Path) -> bool:
    """True for a file that is Parquet as it stands: some name it after the compression inside (events.parquet.zst)."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _rows(frame: pl.DataFrame, wanted: Wanted, seen: int) -> pl.DataFrame:
    columns = [_text(frame, name).alias(f"raw:{name}") for name in wanted.texts]
    columns += [_json(frame, name).alias(f"json:{name}") for name in wanted.fragments]
    if wanted.rest:
        rest = [name for name in frame.columns if not wanted.leaves_out(name)]
        columns.append(json_object({name: _json(frame, name) for name in rest}).alias("json:*"))
    none = pl.lit(None, pl.String)
    return frame.select(
        pl.int_range(seen + 1, seen + 1 + pl.len(), dtype=pl.Int64).alias("row"),
        none.alias("text"),
        none.alias("problem"),
        *columns,
    )


def _located(frame: pl.DataFrame, path: str) -> tuple[pl.Expr, Any] | None:
    """A column, or a member of a nested one, with its type; None where the file has none."""
    if path in frame.columns:
        return pl.col(path), frame.schema[path]
    top, *inner = path.split(".")
    if top not in frame.columns:
        return None
    value, dtype = pl.col(top), cast(Any, frame.schema[top])
    for part in inner:
        members = dtype.to_schema() if isinstance(dtype, pl.Struct) else {}
        if part not in members:
            return None
        value, dtype = value.struct.field(part), members[part]
    return value, dtype


def _text(frame: pl.DataFrame, path: str) -> pl.Expr:
    located = _located(frame, path)
    return as_text(*located) if located else pl.lit(None, pl.String)


def _json(frame: pl.DataFrame, path: str) -> pl.Expr:
    located = _located(frame, path)
    return as_json(*located) if located else pl.lit(None, pl.String)


def as_text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A typed value as text: whole floats without decimals, instants and dates in ISO 8601, nested values as JSON."""
    if isinstance(dtype, pl.Datetime):
        instant = value.dt.cast_time_unit("us")
        if dtype.time_zone:
            return instant.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        return instant.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
    if isinstance(dtype, pl.Date):
        return value.dt.strftime("%Y-%m-%d")
    if dtype.is_float():
        whole = (value == value.floor()) & (value.abs() < EXACT_WHOLE)
        return pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
    if isinstance(dtype, pl.Struct | pl.List | pl.Array):
        return as_json(value, dtype)
    return value.cast(pl.String, strict=False)


def as_json(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A typed value as JSON text, null for null."""
    kept = as_text(value, dtype) if dtype.is_temporal() else value
    kept = kept.cast(pl.String) if isinstance(dtype, pl.Decimal | pl.Categorical | pl.Enum | pl.Binary) else kept
    wrapped = pl.struct(kept.alias("v")).struct.json_encode()
    return pl.when(value.is_not_null()).then(wrapped.str.slice(5).str.head(-1))
