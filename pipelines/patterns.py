"""Patterns: the files below a folder that globs ask for, and what they match that only looks like a file."""

import errno
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from pipelines.errors import ConfigurationError, DataError
from pipelines.journal import JOURNAL
from pipelines.remote import REMOTE
from pipelines.settling import MARKER

ON_THEIR_WAY = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download", "~")
SHOWN_CHARACTERS = 200


def found(root: Path, pattern: str) -> list[Path]:
    """What a pattern matches; `web/**` is every file below web, as `web/**/*`.

    The journal, `_remote` (unless the pattern names it), hidden files, done-markers and files on their way are left out.
    Raises ConfigurationError for what is no pattern, DataError where a folder cannot be searched.
    """
    closed = {JOURNAL} if pattern.split("/")[0] == REMOTE else {JOURNAL, REMOTE}
    try:
        matched = list(root.glob(every_file(pattern)))
    except ValueError as error:
        raise ConfigurationError(
            f'"{pattern}" is no pattern of files ({error}); write it like web/**/*.ndjson*'
        ) from error
    except OSError as error:
        place = str(error.filename)[:SHOWN_CHARACTERS]
        raise DataError(f"the folder {place} cannot be searched ({error.strerror}); move it out of {root}") from error
    return sorted(
        path
        for path, names in ((path, path.relative_to(root).parts) for path in matched)
        if names
        and names[0] not in closed
        and not any(name.startswith(".") for name in names)
        and not names[-1].lower().endswith((MARKER, *ON_THEIR_WAY))
    )


def every_file(pattern: str) -> str:
    """The pattern, one that ends in `**` as it asks for the files below."""
    return f"{pattern}/*" if PurePath(pattern).name == "**" else pattern


def obstacle(path: Path, root: Path) -> str | None:
    """Why what a pattern matches cannot be read; None for a file, and for a folder."""
    try:
        place = Path(os.path.realpath(path, strict=True))
        kind = place.stat().st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link that leads in a circle; put the file itself there"
        if error.errno == errno.ENOENT:
            return "a link that leads nowhere; put the file itself there" if path.is_symlink() else None
        return f"cannot be read ({error.strerror}); check its permissions"
    if not place.is_relative_to(root):
        return "a link to a file outside the landing folder; put the file itself there"
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        return "a pipe, socket or device; put a file there"
    return None


def closed_folders(root: Path) -> Iterator[tuple[Path, str]]:
    """Folders that no pattern looks into, with why: links out of the landing folder, and those that may not be listed."""
    unlisted: list[OSError] = []
    for folder, names, _ in os.walk(root, onerror=unlisted.append):
        for path in (Path(folder, name) for name in names):
            if os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(root):
                yield path, "a link to a folder outside the landing folder; put the files themselves there"
    for error in unlisted:
        yield Path(error.filename), f"the folder cannot be listed ({error.strerror}); check its permissions"


def looks_into(pattern: str, folder: Path, root: Path) -> bool:
    """True when a pattern asks for files below a folder that it cannot look into."""
    asked, parts = PurePath(every_file(pattern)).parts[:-1], folder.relative_to(root).parts
    fixed = asked[: asked.index("**")] if "**" in asked else asked
    if len(parts) < len(fixed) or (len(parts) > len(fixed) and "**" not in asked):
        return False
    if any(name.startswith(".") for name in parts) or parts[:1] in ((JOURNAL,), (REMOTE,)):
        return False
    is_followed = folder.is_symlink() and len(parts) <= len(fixed)
    return not is_followed and all(fnmatchcase(name, part) for name, part in zip(parts, fixed, strict=False))


def shown(path: Path, root: Path) -> str:
    """A path below the landing folder as it is told: what cannot be printed, such as a line break, as its escape."""
    text = path.relative_to(root).as_posix()
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
