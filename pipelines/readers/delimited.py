"""Delimited text: CSV, TSV, any one character, or runs of blanks; every record is accounted for."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.errors import UnreadableFile
from pipelines.readers.text import LONGEST_ROW, blocks, lines_of
from transforms.mapping import Source, Wanted, json_object, json_text
from transforms.mapping import wanted as mapped_columns

TITLE_LINES = 20
ENOUGH_KNOWN = 2
ENDS_INSIDE = "unexpected end of data"
HEADER_ADVICE = {
    "encoding": "save the file as UTF-8 text",
    "parse_error": "its quotes do not match, or it holds binary zeros; write the names of the columns without quotes",
    "too_large": "is it a file of lines, and is the first line a header?",
}
RECORD: dict[str, Any] = {"text": pl.String, "problem": pl.String, "fields": pl.List(pl.String)}


def read(path: Path, source: Source, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """The records in parts: row, text, problem, and the wanted columns as text and JSON.

    Raises UnreadableFile for a header that repeats a name or has none of the mapped columns.
    """
    header: list[str] | None = list(source.columns) or None
    seen = 0
    for records in _records(path, source):
        if header is None:
            header, records = _split_header(records, source, set(wanted.columns))
            if header is None:
                yield _rows(records, [], wanted, seen)
                seen += records.height
                continue
            refuse_header(header, wanted, source)
        yield _rows(records, header, wanted, seen)
        seen += records.height


def columns_of(path: Path, source: Source) -> list[str]:
    """The names of the columns; raises UnreadableFile."""
    if source.columns:
        return list(source.columns)
    for records in _records(path, source):
        header, _ = _split_header(records, source, {*source.aliases.values(), *mapped_columns(source).columns})
        if header is not None:
            return header
    return []


def lines_a_row(path: Path, source: Source, wanted: Wanted) -> Iterator[tuple[bool, int]]:
    """Of each record, in order, whether it is a row (the header is none), and how many lines it takes."""
    is_headed = bool(source.columns)
    for records in _records(path, source):
        counted = (records["text"].str.count_matches("\n", literal=True) + 1).to_list()
        place = None if is_headed else _header_place(records, source, set(wanted.columns))
        is_headed = is_headed or place is not None
        yield from ((number != place, lines) for number, lines in enumerate(counted))


def delimiter_of(source: Source) -> str:
    """What stands between fields: one character, or `whitespace`."""
    return "\t" if source.format == "tsv" and source.delimiter == "," else source.delimiter


def refuse_header(header: list[str], wanted: Wanted, source: Source) -> None:
    """Raise UnreadableFile when a header cannot be that of the source. Columns without a name are nobody's."""
    keeps_all = source.keeps_rest or source.group is not None
    used = [name for name in header if name and (keeps_all or name in wanted.columns)]
    twice = sorted(name for name, times in Counter(used).items() if times > 1)
    if twice:
        places = [str(place) for place, name in enumerate(header, start=1) if name == twice[0]]
        raise UnreadableFile(
            f"line 1: the column '{twice[0]}' is there twice (columns {', '.join(places)}); names of columns are unique"
        )
    if wanted.columns and not set(header) & set(wanted.columns):
        raise UnreadableFile(
            f"line 1: none of the mapped columns ({', '.join(wanted.columns)}) is in the header: {' | '.join(header)[:300]}; "
            f"is the delimiter {delimiter_of(source)!r}, and is the first line a header?"
        )


def _split_header(records: pl.DataFrame, source: Source, known: set[str]) -> tuple[list[str] | None, pl.DataFrame]:
    """The names of the header, as the mapping calls them, and the records without it.

    The header is the first record that is not blank; where that has none of the known columns (the title of a report), the
    first of the next ones that has several. What stands before it counts as blank.
    """
    place = _header_place(records, source, known)
    if place is None:
        return None, records
    if records["problem"][place] is not None:
        problem = records["problem"][place]
        raise UnreadableFile(f"line {place + 1}: the header cannot be read ({problem}); {HEADER_ADVICE[problem]}")
    header = renamed(records["fields"][place], source)
    before = records.head(place).with_columns(problem=pl.lit("blank"))
    return header, pl.concat([before, records.slice(place + 1)])


def _header_place(records: pl.DataFrame, source: Source, known: set[str]) -> int | None:
    """Where the header stands among records; None when all of them are blank."""
    place = next((place for place, problem in enumerate(records["problem"]) if problem != "blank"), None)
    if place is not None and not _known_in(records, place, source, known):
        near = range(place + 1, min(records.height, place + TITLE_LINES))
        return next((other for other in near if _known_in(records, other, source, known) >= ENOUGH_KNOWN), place)
    return place


def _known_in(records: pl.DataFrame, place: int, source: Source, known: set[str]) -> int:
    """How many of the known columns a record names."""
    fields = records["fields"][place]
    return 0 if records["problem"][place] is not None or fields is None else len(known & set(renamed(fields, source)))


def renamed(names: Iterable[str], source: Source) -> list[str]:
    """Names of columns as the mapping calls them."""
    bare = [name.strip() for name in names]
    return [source.aliases.get(name.casefold(), name) for name in bare]


def _records(path: Path, source: Source) -> Iterator[pl.DataFrame]:
    """The records of a file in parts: text, problem, fields; a quoted field may hold line breaks."""
    delimiter, is_quoted = delimiter_of(source), source.quote == "double"
    waiting: pl.DataFrame | None = None
    width: int | None = len(source.columns) or None
    for block in blocks(path):
        lines = _without_zeros(lines_of(block))
        width = width or _width(lines, delimiter)
        lines = lines if waiting is None else pl.concat([waiting, lines])
        records, waiting = split_records(lines, delimiter, width=width, is_quoted=is_quoted, is_last=False)
        yield records
    if waiting is not None:
        yield split_records(waiting, delimiter, width=width, is_quoted=is_quoted, is_last=True)[0]


def _without_zeros(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines, where one with a binary zero, as a crash leaves them, is a parse_error: its values are not to be trusted."""
    has_zero = pl.col("problem").is_null() & pl.col("text").str.contains("\0", literal=True)
    return lines.with_columns(problem=pl.when(has_zero).then(pl.lit("parse_error")).otherwise("problem"))


def _width(lines: pl.DataFrame, delimiter: str) -> int | None:
    """How many fields the first record has; None when it is not known, or may be the title of a report (one field)."""
    first = lines.filter(pl.col("problem").is_null())["text"].head(1).to_list()
    fields = _parse_record(first, 0, delimiter)[0] if first and len(delimiter) == 1 else None
    return len(fields) if fields and len(fields) > 1 else None


def split_records(
    lines: pl.DataFrame, delimiter: str, *, width: int | None, is_last: bool, is_quoted: bool = True
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Records of lines, and the lines of a record that the next block has to end.

    A record of several lines that has not `width` fields is an open quote that a later line happened to close: its first
    line is malformed, the others are records of their own.
    """
    if delimiter == "whitespace":
        return lines.with_columns(fields=pl.col("text").str.extract_all(r"\S+")), None
    plain = lines.with_row_index("place").with_columns(fields=pl.col("text").str.split(delimiter))
    quoted = plain.filter(pl.col("text").str.contains('"', literal=True))["place"]
    if quoted.is_empty() or not is_quoted:
        return plain.select(list(RECORD)), None
    found, swallowed, open_from = _quoted_records(
        lines["text"].to_list(), lines["problem"].to_list(), quoted.to_list(), delimiter, width=width, is_last=is_last
    )
    special = pl.DataFrame(found, schema={"place": pl.UInt32, **RECORD}, orient="row")
    kept = plain.filter(~pl.col("place").is_in([*special["place"], *swallowed]))
    if open_from is not None:
        kept = kept.filter(pl.col("place") < open_from)
    records = pl.concat([kept.select("place", *RECORD), special]).sort("place").select(list(RECORD))
    return records, lines.slice(open_from) if open_from is not None else None


def _quoted_records(
    texts: list[str], problems: list[str | None], quoted: list[int], delimiter: str, *, width: int | None, is_last: bool
) -> tuple[list[tuple[int, str, str | None, list[str] | None]], list[int], int | None]:
    """The records that begin at a line with a quote; the lines that belong to one before; where an open one begins."""
    csv.field_size_limit(LONGEST_ROW * 2)
    found: list[tuple[int, str, str | None, list[str] | None]] = []
    swallowed: list[int] = []
    free = 0
    for place in quoted:
        if place < free:
            continue
        fields, taken, is_open = _parse_record(texts, place, delimiter)
        if is_open and not is_last:
            return found, swallowed, place
        if fields is not None and taken > 1 and width is not None and len(fields) != width:
            fields = None
        last = place + taken
        problem = next((problem for problem in problems[place:last] if problem not in (None, "blank")), None)
        if fields is None:
            taken, last, problem = 1, place + 1, problems[place] or "parse_error"
        found.append((place, "\n".join(texts[place:last]), problem, fields))
        swallowed += range(place + 1, last)
        free = last
    return found, swallowed, None


def _parse_record(texts: list[str], place: int, delimiter: str) -> tuple[list[str] | None, int, bool]:
    """The fields of the record that begins at a line (None when it is malformed), its lines, and whether it is open."""
    taken = size = 0

    def lines() -> Iterator[str]:
        nonlocal taken, size
        for text in islice(texts, place, None):
            taken += 1
            size += len(text)
            if size > LONGEST_ROW:
                return
            yield text + "\n"

    try:
        return next(csv.reader(lines(), delimiter=delimiter, strict=True)), taken, False
    except csv.Error as error:
        return None, 1, str(error) == ENDS_INSIDE and size <= LONGEST_ROW


def _rows(records: pl.DataFrame, header: list[str], wanted: Wanted, seen: int) -> pl.DataFrame:
    """Records as rows with the wanted columns; one with another number of fields is wrong_columns."""
    misfit = pl.col("problem").is_null() & (pl.col("fields").list.len() != len(header))
    judged = records.with_columns(problem=pl.when(misfit).then(pl.lit("wrong_columns")).otherwise("problem"))
    good = pl.when(pl.col("problem").is_null()).then("fields")
    columns = {name: good.list.get(place, null_on_oob=True) for place, name in enumerate(header) if name}
    none = pl.lit(None, pl.String)
    texts = [columns.get(name, none).alias(f"raw:{name}") for name in wanted.texts]
    fragments = [_fragment(columns.get(name, none)).alias(f"json:{name}") for name in wanted.fragments]
    rest = []
    if wanted.rest:
        kept = {name: column for name, column in columns.items() if not wanted.leaves_out(name)}
        rest = [json_object({name: _fragment(column) for name, column in kept.items()}).alias("json:*")]
    row = pl.int_range(seen + 1, seen + 1 + pl.len(), dtype=pl.Int64)
    return judged.select(row.alias("row"), "text", "problem", *texts, *fragments, *rest)


def _fragment(text: pl.Expr) -> pl.Expr:
    return json_text(pl.when(text != "").then(text))
