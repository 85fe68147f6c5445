"""Rewriting: a landed file written again without some of its rows, and otherwise as it was."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import DataError
from pipelines.readers import delimited, parquet
from pipelines.readers.native import Feed
from pipelines.readers.text import BLOCK_BYTES, COMPRESSIONS, opened
from transforms.mapping import DELIMITED, Wanted

DRAFT = ".erasing"


def write_without(path: Path, feed: Feed, needed: Wanted, rows: set[int]) -> Path:
    """Write a file without these rows (numbered as the warehouse does) to a draft beside it; returns the draft.

    The draft has the format, compression, permissions and time of the file, and is on disk; of lines, those that are kept
    are the same byte by byte. Raises DataError when the file has not all of these rows, UnreadableFile when it cannot be read.
    """
    draft = path.with_name(f".{path.name}{DRAFT}")
    if feed.source.format == "parquet":
        removed = _write_parquet(path, draft, rows)
    else:
        removed = _write_lines(path, draft, _lines_a_row(path, feed, needed), rows)
    if removed != len(rows):
        draft.unlink(missing_ok=True)
        raise DataError(
            f"{path}: {removed} of {len(rows)} rows were found in it, so it is not the file that was read; nothing of it was changed"
        )
    shutil.copymode(path, draft)
    status = path.stat()
    os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
    flushed(draft)
    return draft


def put_in_place(draft: Path, path: Path) -> None:
    """Rename a draft over the file."""
    os.replace(draft, path)
    flushed(path.parent)


def flushed(path: Path) -> None:
    """See a file or a folder to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---------------------------------------------------------------- lines


def _lines_a_row(path: Path, feed: Feed, needed: Wanted) -> Iterator[tuple[bool, int]]:
    """Of each piece of a file whether it is a row (a header is none), and how many lines it takes."""
    if feed.source.format in DELIMITED:
        yield from delimited.lines_a_row(path, feed.source, needed)
        return
    while True:
        yield True, 1


def _write_lines(path: Path, draft: Path, pieces: Iterator[tuple[bool, int]], rows: set[int]) -> int:
    """Copy a file of lines without these rows; returns how many were left out."""
    row = left = removed = 0
    is_kept = True
    with _written(draft, path.suffix.lower()) as target:
        for line in _raw_lines(path):
            if not left:
                is_row, left = next(pieces, (False, 1))
                row += is_row
                is_kept = not (is_row and row in rows)
                removed += not is_kept
            left -= 1
            if is_kept:
                target.write(line)
    return removed


def _raw_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file as they are, with what ends them."""
    with opened(path) as stream:
        carry = b""
        while block := stream.read(BLOCK_BYTES):
            *lines, carry = (carry + block).split(b"\n")
            yield from (line + b"\n" for line in lines)
        if carry:
            yield carry


def _written(draft: Path, ending: str) -> Any:
    if ending in COMPRESSIONS:
        return pa.output_stream(str(draft), compression=COMPRESSIONS[ending])
    return draft.open("wb")


# ---------------------------------------------------------------- Parquet


def _write_parquet(path: Path, draft: Path, rows: set[int]) -> int:
    """Copy a Parquet file without these rows, row group by row group; returns how many were left out."""
    is_packed = path.suffix.lower() in COMPRESSIONS and not parquet.is_bare(path)
    with ExitStack() as stack:
        source: Any = str(path)
        target: Any = str(draft)
        if is_packed:
            source = stack.enter_context(TemporaryFile())
            shutil.copyfileobj(cast(Any, stack.enter_context(opened(path))), source, BLOCK_BYTES)
            target = stack.enter_context(_written(draft, path.suffix.lower()))
        file = stack.enter_context(pq.ParquetFile(source))
        return _copy_groups(file, target, rows)


def _copy_groups(file: pq.ParquetFile, target: Any, rows: set[int]) -> int:
    """Write the row groups of a file without these rows."""
    removed = first = 0
    schema = pa.schema([_flat(field) for field in file.schema_arrow], file.schema_arrow.metadata)
    with pq.ParquetWriter(target, schema, compression=_codecs(file.metadata)) as writer:
        for group in range(file.metadata.num_row_groups):
            table = file.read_row_group(group)
            kept = [row not in rows for row in range(first + 1, first + 1 + table.num_rows)]
            removed += kept.count(False)
            first += table.num_rows
            writer.write_table(_own_words(table.filter(pa.array(kept, pa.bool_())), schema))
    return removed


def _own_words(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with dictionaries that hold the words of its own rows alone."""
    columns = [
        column.cast(field.type.value_type).dictionary_encode().cast(field.type)
        if pa.types.is_dictionary(field.type)
        else column.cast(field.type)
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _flat(field: pa.Field) -> pa.Field:
    """A field without dictionaries inside of lists and structs, which cannot be cut down to the words of some rows."""
    is_flat = pa.types.is_dictionary(field.type) or not _holds_dictionary(field.type)
    return field if is_flat else field.with_type(_without_dictionaries(field.type))


def _holds_dictionary(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return True
    return any(_holds_dictionary(kind.field(number).type) for number in range(kind.num_fields))


def _without_dictionaries(kind: pa.DataType) -> pa.DataType:
    """A nested type with the values of its dictionaries in their place."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    members = [kind.field(number) for number in range(kind.num_fields)]
    inner = [member.with_type(_without_dictionaries(member.type)) for member in members]
    if pa.types.is_struct(kind):
        return pa.struct(inner)
    if pa.types.is_large_list(kind):
        return pa.large_list(inner[0])
    return pa.list_(inner[0]) if pa.types.is_list(kind) else kind


def _codecs(metadata: Any) -> Any:
    """The compression of each column, as its first row group has it."""
    if not metadata.num_row_groups:
        return "snappy"
    columns = [metadata.row_group(0).column(number) for number in range(metadata.num_columns)]
    return {column.path_in_schema: column.compression.replace("UNCOMPRESSED", "NONE") for column in columns}
