"""Journal: files of JSON lines below `landing/_journal/` that are only ever appended to."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipelines.errors import DataError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

JOURNAL = "_journal"
RETRACTIONS, SESSIONS = "retractions.ndjson", "sessions.ndjson"
Entry = TypeVar("Entry", bound="DataclassInstance")


def entries(file: Path, kind: type[Entry], *, until: datetime | None = None) -> Iterator[Entry]:
    """The entries of a journal file, in order; a line that was cut by a crash is passed over.

    With `until` only those before that instant, of entries that say in `at` when they were made.
    Raises DataError for a line that is whole and is no such entry.
    """
    if not file.exists():
        return
    for number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
        if not line:
            continue
        try:
            told = json.loads(line)
            entry = kind(**told)
            counts = until is None or datetime.fromisoformat(told["at"]) < until
        except ValueError:
            continue
        except TypeError as error:
            raise DataError(
                f"{file}, line {number}: not an entry of the journal ({error}); restore it from a backup"
            ) from error
        if counts:
            yield entry


def append(file: Path, added: Iterable["DataclassInstance"]) -> None:
    """Append entries, all of them or nothing, and make them last."""
    text = "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in added)
    if not text:
        return
    file.parent.mkdir(exist_ok=True)
    start = "" if _ends_line(file) else "\n"
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, (start + text).encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _ends_line(file: Path) -> bool:
    if not file.exists() or file.stat().st_size == 0:
        return True
    with file.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() == b"\n"
