"""Tables: cells that several pages write in the same way."""

from collections.abc import Iterable

from reports.page import Align, Cell, Table
from reports.rates import Rate
from reports.words import count, interval, share

MOST_ROWS = 60


def cells(*texts: str | Cell) -> tuple[Cell, ...]:
    """A row: texts become cells."""
    return tuple(text if isinstance(text, Cell) else Cell(text) for text in texts)


def rate_cells(rate: Rate) -> tuple[str, str, str, str]:
    """The four cells of a rate: part, whole, share, interval. They go under RATE_COLUMNS."""
    return count(rate.part), count(rate.whole), share(rate.part, rate.whole), interval(rate.low, rate.high)


def rate_columns(part: str, whole: str) -> tuple[tuple[str, Align], ...]:
    """The columns of `rate_cells`, with the words for its two counts."""
    return numbers(part, whole, "Share", "95% interval")


def numbers(*labels: str) -> tuple[tuple[str, Align], ...]:
    """Columns of numbers."""
    return tuple((label, "number") for label in labels)


def texts(*labels: str) -> tuple[tuple[str, Align], ...]:
    """Columns of text."""
    return tuple((label, "text") for label in labels)


def table(
    columns: Iterable[tuple[str, Align]], rows: Iterable[tuple[Cell, ...]], *, note: str = "", most: int = MOST_ROWS
) -> Table:
    """A table of at most `most` rows, which says how many it leaves out."""
    every = list(rows)
    left_out = len(every) - most
    words = f"{count(left_out)} more rows are not shown; the SQL gives them all." if left_out > 0 else ""
    return Table(tuple(columns), tuple(every[:most]), " ".join(part for part in (note, words) if part))
