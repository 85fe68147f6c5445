"""Parquet: columns, and members of nested columns, as the text that a mapping reads."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import UnreadableFile
from pipelines.readers.arrow import PROBLEM, frames
from pipelines.readers.delimited import renamed
from pipelines.readers.text import BLOCK_BYTES, opened
from transforms.mapping import Source, Wanted, json_object

MAGIC = b"PAR1"
PART_ROWS = 100_000
EXACT_WHOLE = 2**53
ROWS_FREE = 1_000_000
ROWS_A_BYTE = 100
UNREADABLE = (pa.ArrowException, OSError, EOFError, ValueError, OverflowError, pl.exceptions.PolarsError,
              pl.exceptions.PanicException)  # fmt: skip


def read(path: Path, source: Source, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """The rows in parts: row, text (null), problem (null, `encoding` or `too_large`), and the wanted columns as text and JSON.

    Raises UnreadableFile for a file that is not Parquet to its end, has none of the mapped columns, or one of them twice, or
    tells of more rows than a file of its size can hold.
    """
    with _file(path) as file:
        given = file.schema_arrow.names
        names = renamed(given, source)
        tops = {*wanted.columns, *(column.split(".")[0] for column in wanted.columns)}
        used = [
            (there, name) for there, name in zip(given, names, strict=True) if name and (wanted.rest or name in tops)
        ]
        if wanted.columns and not tops & set(names):
            raise UnreadableFile(
                f"none of the mapped columns ({', '.join(wanted.columns)}) is in it; it has: {', '.join(names)[:300]}"
            )
        twice = [name for name, times in Counter(name for _, name in used).items() if times > 1]
        if twice:
            raise UnreadableFile(f"the column '{twice[0]}' is there twice; names of columns are unique")
        seen, size = 0, path.stat().st_size
        for batch in file.iter_batches(batch_size=PART_ROWS, columns=[there for there, _ in used]):
            for frame in frames(batch):
                yield _rows(frame.rename(dict(used)), wanted, seen)
                seen += frame.height
                _refuse_bomb(seen, size)


def columns_of(path: Path, source: Source) -> list[str]:
    """The names of the columns as the mapping calls them, members of nested columns with their path."""
    with _file(path) as file:
        fields = list(file.schema_arrow)
    names = renamed([field.name for field in fields], source)
    named = [(name, field.type) for name, field in zip(names, fields, strict=True) if name]
    return [path for name, kind in named for path in _paths(name, kind)]


def _paths(name: str, kind: Any) -> list[str]:
    inner = list(kind) if pa.types.is_struct(kind) else ()
    return [name, *(path for member in inner for path in _paths(f"{name}.{member.name}", member.type))]


@contextmanager
def _file(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file whose columns of text come as dictionaries, so that a value that is repeated is held once."""
    try:
        with ExitStack() as stack:
            source: Any = str(path)
            if path.suffix.lower() in (".gz", ".zst") and not is_bare(path):
                source = stack.enter_context(TemporaryFile())
                shutil.copyfileobj(cast(Any, stack.enter_context(opened(path))), source, BLOCK_BYTES)
            metadata = stack.enter_context(pq.ParquetFile(source)).metadata
            _refuse_bomb(metadata.num_rows, path.stat().st_size)
            texts = [column.path for column in map(metadata.schema.column, range(metadata.num_columns))
                     if column.physical_type == "BYTE_ARRAY" and "." not in column.path]  # fmt: skip
            yield stack.enter_context(
                pq.ParquetFile(source, metadata=metadata, read_dictionary=texts, coerce_int96_timestamp_unit="us")
            )
    except UNREADABLE as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnreadableFile(f"not a complete Parquet file ({said}); deliver it again, under a new name") from error


def _refuse_bomb(rows: int, size: int) -> None:
    """Raise UnreadableFile for a file of more rows than its bytes can tell apart."""
    if rows > ROWS_FREE + ROWS_A_BYTE * size:
        raise UnreadableFile(
            f"it tells of {rows:,} rows in {size:,} bytes, as a zip bomb does: rows of events have a time and an id of their own; "
            "if it is genuine, deliver it in parts of less than a million rows"
        )


def is_bare(path: Path) -> bool:
    """True for a file that is Parquet as it stands: some name it after the compression inside (events.parquet.zst)."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _rows(frame: pl.DataFrame, wanted: Wanted, seen: int) -> pl.DataFrame:
    columns = [_text(frame, name).alias(f"raw:{name}") for name in wanted.texts]
    columns += [_json(frame, name).alias(f"json:{name}") for name in wanted.fragments]
    if wanted.rest:
        rest = [name for name in frame.columns if name != PROBLEM and not wanted.leaves_out(name)]
        columns.append(json_object({name: _json(frame, name) for name in rest}).alias("json:*"))
    return frame.select(
        pl.int_range(seen + 1, seen + 1 + pl.len(), dtype=pl.Int64).alias("row"),
        pl.lit(None, pl.String).alias("text"),
        pl.col(PROBLEM).alias("problem"),
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
