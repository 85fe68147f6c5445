"""Lines of text, such as the log of a web server: a row is a line, its format takes it apart."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines.readers.text import blocks, lines_of


def read(path: Path) -> Iterator[pl.DataFrame]:
    """The lines of a file in parts: row, text, problem."""
    seen = 0
    for block in blocks(path):
        lines = lines_of(block)
        yield lines.with_columns(row=pl.int_range(seen + 1, seen + 1 + pl.len(), dtype=pl.Int64))
        seen += lines.height
