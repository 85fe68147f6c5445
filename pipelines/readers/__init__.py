"""Readers: one file format each, from bytes on disk to rows as transforms/mapping.py wants them."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines.readers import delimited, ndjson, parquet
from pipelines.readers.text import UnreadableFile
from pipelines.warehouse import Connection
from transforms.mapping import Source, Wanted

__all__ = ["UnreadableFile", "columns_of", "extract", "read"]


def read(path: Path, source: Source, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """The rows of one file in parts: row, text, problem, and the wanted columns where the format gives them already.

    Raises UnreadableFile, with what is wrong and what would be right, when the file is not what it claims to be.
    """
    if source.format == "parquet":
        return parquet.read(path, wanted)
    if source.format in ("csv", "tsv"):
        return delimited.read(path, source, wanted)
    return ndjson.read(path)


def extract(rows: pl.DataFrame, source: Source, wanted: Wanted, connection: Connection) -> pl.DataFrame:
    """The rows with all wanted columns, from many files at a time; lines that hold no JSON object become parse_error."""
    if source.format in ("segment", "ndjson"):
        return ndjson.extract(rows, wanted, connection)
    return rows


def columns_of(path: Path, source: Source) -> list[str] | None:
    """The names in a file's header; None for formats without one.

    Raises UnreadableFile.
    """
    if source.format == "parquet":
        return parquet.columns_of(path)
    if source.format in ("csv", "tsv"):
        return delimited.columns_of(path, source)
    return None
