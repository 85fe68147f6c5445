"""Reported: what kept reports say of single customers, taken out of them."""

import csv
import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl

from transforms.hashing import ID_LENGTH

CUSTOMER_ID = re.compile(rf"(?<![0-9a-f])[0-9a-f]{{{ID_LENGTH}}}(?![0-9a-f])")
TABLES_READ = {".csv", ".parquet"}
PAGES_READ = {".html", ".json", ".svg", ".txt", ".md", ".xml"}
REMOVED = "removed"


def scrub(reports: Path, is_theirs: Callable[[str], bool], *, is_rehearsal: bool) -> dict[str, str]:
    """Take the rows that name a customer out of the tables of reports, and remove pages that do.

    Returns what was (in a rehearsal: would be) done, by path below the folder of reports.
    """
    done: dict[str, str] = {}
    for path in sorted(reports.rglob("*")):
        if not path.is_file() or path.suffix not in TABLES_READ | PAGES_READ:
            continue
        if path.suffix == ".parquet":
            said = _scrub_parquet(path, is_theirs, is_rehearsal=is_rehearsal)
        else:
            said = _scrub_text(path, is_theirs, is_rehearsal=is_rehearsal)
        if said:
            done[path.relative_to(reports).as_posix()] = said
    return done


def _scrub_parquet(path: Path, is_theirs: Callable[[str], bool], *, is_rehearsal: bool) -> str | None:
    frame = pl.read_parquet(path)
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    words = {word for name in texts for text in frame[name].drop_nulls().unique() for word in CUSTOMER_ID.findall(text)}
    theirs = sorted(word for word in words if is_theirs(word))
    if not theirs:
        return None
    named = pl.any_horizontal(pl.col(name).str.contains_any(theirs).fill_null(value=False) for name in texts)
    kept = frame.filter(~named)
    if not is_rehearsal:
        draft = path.with_name(f".{path.name}.draft")
        kept.write_parquet(draft)
        os.replace(draft, path)
    return _rows(frame.height - kept.height)


def _scrub_text(path: Path, is_theirs: Callable[[str], bool], *, is_rehearsal: bool) -> str | None:
    text = path.read_bytes().decode("utf-8", "replace")
    theirs = {word for word in set(CUSTOMER_ID.findall(text)) if is_theirs(word)}
    if not theirs:
        return None
    if path.suffix != ".csv":
        if not is_rehearsal:
            path.unlink()
        return REMOVED
    lines = list(csv.reader(io.StringIO(text, newline="")))
    kept = [line for line in lines if not any(word in field for field in line for word in theirs)]
    if not is_rehearsal:
        draft = path.with_name(f".{path.name}.draft")
        with draft.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\r\n" if "\r\n" in text else "\n").writerows(kept)
        os.replace(draft, path)
    return _rows(len(lines) - len(kept))


def _rows(count: int) -> str:
    return "1 row removed" if count == 1 else f"{count:,} rows removed"
