"""Wholes: what a source exports again and again as one piece, such as a day; of each the newest version counts."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import polars as pl

DIGITS = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%j": 3, "%H": 2, "%M": 2, "%S": 2}
NEWEST_LAST = ("is_final", "exported_at")
SEPARATOR = "\x1f"


def time_in_name(name: str, patterns: Iterable[str], *, zone: str) -> datetime | None:
    """The export time that a path tells, by the first pattern that is found in it; null when none is.

    A pattern is text with %Y, %m, … for the parts of the time, ? for one character and * for several, found anywhere in the
    path, the last place counts. The time is in `zone`, or in UTC where a Z follows it.
    """
    for pattern in patterns:
        expression, format = name_pattern(pattern)
        for found in reversed(list(expression.finditer(name))):
            *parts, utc = found.groups()
            try:
                told = datetime.strptime(SEPARATOR.join(parts), format)
            except ValueError:
                continue
            return told.replace(tzinfo=UTC if utc else ZoneInfo(zone)).astimezone(UTC)
    return None


@cache
def name_pattern(pattern: str) -> tuple[re.Pattern[str], str]:
    """A pattern as a regular expression, and the strptime format of its groups; digits may not adjoin what it finds.

    Raises ValueError for a part of time that it does not know, or when it has no year, month and day.
    """
    pieces: list[str] = []
    directives: list[str] = []
    for piece in re.findall(r"%.?|.", pattern):
        if piece.startswith("%"):
            if piece not in DIGITS:
                raise ValueError(f"unknown part '{piece}' in the pattern '{pattern}'; use {', '.join(DIGITS)}")
            directives.append(piece)
            pieces.append(f"([0-9]{{{DIGITS[piece]}}})")
        else:
            pieces.append({"?": "[^/]", "*": "[^/]*"}.get(piece, re.escape(piece)))
    if not {"%Y", "%y"} & set(directives) or not ({"%m", "%d"} <= set(directives) or "%j" in directives):
        raise ValueError(f"the pattern '{pattern}' tells no day; it needs %Y, %m and %d, such as %Y%m%dT%H%M")
    if len(directives) > len(set(directives)):
        raise ValueError(f"the pattern '{pattern}' has a part of the time twice; write ? for digits that do not count")
    return re.compile("(?<![0-9])" + "".join(pieces) + "(Z)?(?![0-9])"), SEPARATOR.join(directives)


def newest(versions: pl.DataFrame) -> pl.DataFrame:
    """The rows of the newest version of each whole: those with the greatest (is_final, exported_at).

    In: whole, is_final, exported_at, and any others; several files with one export time are one version.
    """
    rank = pl.struct(NEWEST_LAST)
    return versions.filter(rank == rank.sort_by(NEWEST_LAST).last().over("whole"))


def shared_with(files: Iterable[str], versions: pl.DataFrame) -> set[str]:
    """These files, those that hold versions of the same wholes, those that share wholes with them, and so on.

    In: versions: file_id, whole.
    """
    reached = set(files)
    while True:
        wholes = versions.filter(pl.col("file_id").is_in(list(reached)))["whole"].unique()
        more = set(versions.filter(pl.col("whole").is_in(wholes.implode()))["file_id"]) | reached
        if more == reached:
            return reached
        reached = more
