"""Settling: which landed files are complete, and the proof that one stayed the same while it was read."""

import os
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field

from pipelines.errors import UnreadableFile
from transforms.journey import Duration, Entry

MARKER = ".done"
PATIENCE_SECONDS = 10.0

Part = TypeVar("Part")
Stamp = tuple[int, int, int]


class Settling(Entry):
    """When a landed file is complete, so that a run takes it."""

    quiet: Duration = Field(
        timedelta(seconds=5), description="A file that was written to within this time is still being written."
    )
    done_marker: Literal["optional", "required"] = Field(
        "optional", description="Whether a file is taken without `<name>.done` beside it; with it, it is taken at once."
    )


AT_ONCE = Settling(quiet=timedelta(0))


def left_alone(paths: Iterable[Path], settling: Settling) -> list[tuple[Path, str]]:
    """The files that a run leaves for the next one, each with why.

    Where some are not quiet yet, this sleeps once, until they would be, for PATIENCE_SECONDS at most, and looks again.
    """
    _, young, waiting = judged(paths, settling)
    watched = {path: stamp_or_none(path) for path, missing in young.items() if missing <= PATIENCE_SECONDS}
    if watched:
        time.sleep(max(young[path] for path in watched))
    quiet = {path for path, seen in watched.items() if seen is not None and stamp_or_none(path) == seen}
    return [*waiting, *((path, "it is still being written") for path in young if path not in quiet)]


def judged(paths: Iterable[Path], settling: Settling) -> tuple[list[Path], dict[Path, float], list[tuple[Path, str]]]:
    """Files that are settled; young ones with the seconds until they would be; those that wait for their marker."""
    taken: list[Path] = []
    young: dict[Path, float] = {}
    waiting: list[tuple[Path, str]] = []
    for path in paths:
        seen = stamp_or_none(path)
        missing = 0.0 if seen is None else _seconds_missing(seen, settling)
        if missing == 0 or _is_marked(path, seen):
            taken.append(path)
        elif settling.done_marker == "required":
            waiting.append((path, f"its marker {path.name}{MARKER} is missing, or older than the file"))
        else:
            young[path] = missing
    return taken, young, waiting


def unchanged(path: Path, seen: Stamp | None, parts: Iterable[Part]) -> Iterator[Part]:
    """The parts of a file, and after the last one the proof that it is still the file that was seen (None: nobody looked).

    Raises UnreadableFile when the file was written to, replaced or taken away meanwhile.
    """
    yield from parts
    if seen is not None and stamp_or_none(path) != seen:
        raise UnreadableFile(
            "it changed while it was read, so nothing of it was loaded; the next run reads it anew "
            "(write under another name and rename it, or put a .done file beside it when it is complete)"
        )


def _seconds_missing(stamp: Stamp, settling: Settling) -> float:
    """How long until a file without a marker is taken; one that is dated in the future counts as written to just now."""
    if settling.done_marker == "required":
        return float("inf")
    return max(0.0, settling.quiet.total_seconds() - max(0.0, (time.time_ns() - stamp[1]) / 1e9))


def _is_marked(path: Path, stamp: Stamp | None) -> bool:
    """True when the done-marker beside a file is not older than the file."""
    marker = stamp_or_none(path.with_name(path.name + MARKER))
    return marker is not None and stamp is not None and marker[1] >= stamp[1]


def stamp_of(status: os.stat_result) -> Stamp:
    """What tells that a file is still the same: its size, when it was written to, and which file of the disk it is."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def stamp_or_none(path: Path) -> Stamp | None:
    """The stamp of a file; None for one that is gone."""
    try:
        return stamp_of(path.stat())
    except OSError:
        return None
