"""Landing: which files have landed, known by their content, and since when; the journal that remembers it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePath

from pipelines import journal as journals
from pipelines.errors import ConfigurationError, DataError
from pipelines.journal import JOURNAL
from pipelines.patterns import closed_folders, found, looks_into, obstacle, shown
from pipelines.remote import REMOTE, Arrivals, StoredObject, is_url, land, waiting
from pipelines.settling import AT_ONCE, Settling, Stamp, judged, left_alone, stamp_of, stamp_or_none
from transforms.mapping import Source

FILES = "files.ndjson"
ID_LENGTH = 16
REPLAYS = "replays.ndjson"
JUDGED_BY_THE_CLOCK = "future_time"
SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class LandedFile:
    """A file below the landing folder. `file_id` is its content; `landed_at` when that content was first seen.

    `replayed_at` is when it was last asked for again because of rows that lay in the future.
    `names` are all paths under which its source has seen that content. Of a file that holds wholes, `exported_at` is when it
    was exported, and `is_final` says whether it is more than a provisional export.
    """

    file_id: str
    source: str
    relative: str
    path: Path
    bytes: int
    landed_at: datetime
    table: str = ""
    names: tuple[str, ...] = ()
    exported_at: datetime | None = None
    is_final: bool = True
    replayed_at: datetime | None = None
    stamp: Stamp | None = None

    @property
    def judged_at(self) -> datetime:
        """The instant after which, with a day's grace, an event of the file lies in the future."""
        return self.replayed_at or self.landed_at


@dataclass(frozen=True)
class Replay:
    """A line of the journal: rows of a file that were kept aside for a reason were asked for again."""

    file_id: str
    source: str
    path: str
    reason: str
    at: str


def replays(landing: Path, *, until: datetime | None = None) -> list[Replay]:
    """All replays, or those before an instant, in order."""
    return list(journals.entries(landing / JOURNAL / REPLAYS, Replay, until=until))


def later_judgements(landing: Path, *, until: datetime | None = None) -> dict[str, datetime]:
    """By file, the last time (before an instant) that its rows in the future were asked for again."""
    asked = replays(landing, until=until)
    told = {replay.file_id: replay.at for replay in asked if replay.reason == JUDGED_BY_THE_CLOCK}
    return {file_id: datetime.fromisoformat(at) for file_id, at in told.items()}


@dataclass(frozen=True)
class Discovery:
    """What is there: files to read, what is refused (source, path or pattern, why), patterns that match nothing.

    `waiting`: by source, the objects of a bucket that have not landed yet; `unsettled`: files that are still being written
    (source, path, why).
    """

    files: list[LandedFile]
    refused: list[tuple[str, str, str]]
    unmatched: list[tuple[str, str, str]]
    waiting: Mapping[str, list[StoredObject]] = field(default_factory=dict)
    unsettled: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """A line of the journal: some content was seen under a name, with the size and time that the file had."""

    file_id: str
    source: str
    path: str
    bytes: int
    modified_ns: int
    landed_at: str


def discover(
    landing: Path,
    sources: Mapping[str, Source],
    *,
    settling: Settling = AT_ONCE,
    say: Callable[[str], None] = lambda _line: None,
) -> Discovery:
    """The files of all sources, what is refused, and which patterns match nothing; new files are written to the journal.

    Objects that a source asks for and that have not landed are landed first; `say` is told of them.
    Files that are still being written, as `settling` says, are left; this may sleep once, to see whether they are.
    Raises DataError when there is no landing folder, or no file in it that a source asks for.
    """
    found, journal = _survey(landing, sources, land(landing, sources, say=say), settling)
    journal.write()
    return found


def look(landing: Path, sources: Mapping[str, Source]) -> Discovery:
    """What `discover` would find without the objects that wait in buckets; nothing is written.

    Raises DataError as `discover` does.
    """
    return _survey(landing, sources, waiting(landing, sources), AT_ONCE)[0]


def settled_files(
    landing: Path, sources: Mapping[str, Source], *, settling: Settling
) -> tuple[list[tuple[str, Stamp]], bool]:
    """The settled files that were put there, with their stamps, and whether others are still being written.

    Nothing is read, no bucket is asked, nobody sleeps.
    """
    root = landing.resolve()
    matched = [path for _, _, path in _matches(root, sources, Arrivals({}, {}, []))[0]]
    taken, young, without_marker = judged(matched, settling)
    stamps = [(shown(path, root), stamp_or_none(path)) for path in taken]
    return [(name, stamp) for name, stamp in stamps if stamp is not None], bool(young or without_marker)


def _survey(
    landing: Path, sources: Mapping[str, Source], arrivals: Arrivals, settling: Settling
) -> "tuple[Discovery, Journal]":
    if not landing.is_dir():
        raise DataError(
            f"the landing folder {landing} does not exist; make it and put files there, or make a sample: journeys sample"
        )
    root = landing.resolve()
    journal = Journal(root)
    matched, refused, unmatched = _matches(root, sources, arrivals)
    if not matched and not refused and arrivals.problems:
        raise DataError("\n".join(f"sources.{name}.files {pattern}: {why}" for name, pattern, why in arrivals.problems))
    if not matched and not refused and not arrivals.waiting:
        asked = "; ".join(
            f"sources.{name}.files {', '.join(pattern for _, pattern in source.patterns)}"
            for name, source in sources.items()
        )
        if not asked:
            raise ConfigurationError(
                f"journey.yaml names no source: say under `sources:` how the files below {landing} are read"
            )
        raise DataError(f"no file under {landing} matches {asked}; put one there, or make a sample: journeys sample")
    files: dict[str, LandedFile] = {}
    put_there = [path for _, _, path in matched if path.relative_to(root).parts[0] != REMOTE]
    unsettled = dict(left_alone(put_there, settling))
    for name, table, path in matched:
        if path in unsettled:
            continue
        try:
            file = replace(journal.known(name, path), table=table)
        except FileNotFoundError:
            refused.append((name, shown(path, root), "it was there and is gone; put it back, or wait for its new name"))
        except OSError as error:
            refused.append((name, shown(path, root), f"cannot be read ({error.strerror}); check its permissions"))
        else:
            files.setdefault(file.file_id, file)
    named = [replace(file, names=journal.names_of(file)) for file in files.values()]
    told = [(name, shown(path, root), unsettled[path]) for name, _, path in matched if path in unsettled]
    return Discovery(named, refused + arrivals.problems, unmatched, arrivals.waiting, told), journal


def _matches(
    root: Path, sources: Mapping[str, Source], arrivals: Arrivals
) -> tuple[list[tuple[str, str, Path]], list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """Files by source, table and path, refused ones, and patterns without a match."""
    owners: dict[Path, tuple[str, str]] = {}
    refused: list[tuple[str, str, str]] = []
    unmatched: list[tuple[str, str, str]] = []
    folders: list[tuple[str, Path]] = []
    closed = list(closed_folders(root))
    for name, source in sorted(sources.items()):
        for table, pattern in source.patterns:
            matched = arrivals.files.get(pattern, []) if is_url(pattern) else found(root, pattern)
            told = [] if is_url(pattern) else [(path, why) for path, why in closed if looks_into(pattern, path, root)]
            for path in matched:
                why = obstacle(path, root)
                if why is not None:
                    told.append((path, why))
                elif path.is_dir():
                    folders += [(name, path)] if "." in PurePath(pattern).name else []
                elif owners.setdefault(path, (name, table)) != (name, table):
                    told.append((path, _also_matched(name, *owners[path])))
            refused += [(name, shown(path, root), why) for path, why in told]
            is_met = told or any(owners.get(path) == (name, table) or (name, path) in folders for path in matched)
            if not is_met and not is_url(pattern):
                unmatched.append((name, pattern, f'no file matches sources.{name}.files "{pattern}" under {root}'))
    read_below = {parent for path in owners for parent in path.parents}
    for name, path in folders:
        if path not in read_below:
            place = shown(path, root)
            refused.append((name, place, f"a folder, not a file; name the files in it, such as {place}/*"))
    owned = sorted((name, table, path) for path, (name, table) in owners.items())
    return owned, list(dict.fromkeys(refused)), _of_no_use(unmatched, sources, owned)


def _of_no_use(
    unmatched: list[tuple[str, str, str]], sources: Mapping[str, Source], owned: list[tuple[str, str, Path]]
) -> list[tuple[str, str, str]]:
    """Of the patterns without a match those of tables for which no other pattern found a file."""
    met = {(name, table) for name, table, _ in owned}
    tables = {(name, pattern): table for name, source in sources.items() for table, pattern in source.patterns}
    return [told for told in unmatched if (told[0], tables[told[0], told[1]]) not in met]


def _also_matched(name: str, owner: str, table: str) -> str:
    other = f"table '{table}'" if owner == name else f"source '{owner}'"
    return f"also matched by the {other}; make the patterns tell them apart"


class Journal:
    """`landing/_journal/files.ndjson`: appended to, never changed. A line that was cut by a crash is passed over."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / JOURNAL / FILES
        self.now = datetime.now(UTC)
        self.entries = list(journals.entries(self.file, Entry))
        self.by_place = {(entry.path, entry.bytes, entry.modified_ns): entry for entry in self.entries}
        self.first_seen = {entry.file_id: entry for entry in reversed(self.entries)}
        self.names: dict[tuple[str, str], set[str]] = {}
        for entry in self.entries:
            self.names.setdefault((entry.source, entry.file_id), set()).add(entry.path)
        self.added: list[Entry] = []

    def known(self, source: str, path: Path) -> LandedFile:
        """The file with its id and landing time; content that is new is noted."""
        status = path.stat()
        relative = shown(path, self.root)
        is_plain = relative == path.relative_to(self.root).as_posix()
        remembered = self.by_place.get((relative, status.st_size, status.st_mtime_ns)) if is_plain else None
        file_id = remembered.file_id if remembered and _is_settled(remembered) else content_id(path)
        if remembered is None or remembered.file_id != file_id:
            now = self.now.isoformat()
            self.added.append(Entry(file_id, source, relative, status.st_size, status.st_mtime_ns, now))
            self.first_seen.setdefault(file_id, self.added[-1])
            self.names.setdefault((source, file_id), set()).add(relative)
        first = self.first_seen[file_id]
        landed_at = datetime.fromisoformat(first.landed_at)
        return LandedFile(file_id, source, relative, path, status.st_size, landed_at, stamp=stamp_of(status))

    def names_of(self, file: LandedFile) -> tuple[str, ...]:
        """All paths under which a source has seen the content of a file, the present one too."""
        return tuple(sorted({file.relative, *self.names.get((file.source, file.file_id), ())}))

    def write(self) -> None:
        """Append what is new, all of it or nothing, and make it last."""
        journals.append(self.file, self.added)
        self.added = []


def _is_settled(entry: Entry) -> bool:
    """True when the file had been quiet before it was seen, so that size and time tell its content."""
    return datetime.fromisoformat(entry.landed_at).timestamp() * 1e9 - entry.modified_ns > SETTLED_NS


def content_id(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:ID_LENGTH]
