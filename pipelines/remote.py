"""Remote: the objects of a bucket that a source asks for land as files below `landing/_remote/`, each of them once."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipelines import journal as journals
from pipelines.errors import DataError
from pipelines.journal import JOURNAL
from transforms.mapping import Source

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

REMOTE = "_remote"
INCOMING = ".incoming"
FILE = "remote.ndjson"
FETCHERS = 8
PAGE = 1_000
CHUNK_BYTES = 1 << 20
TIMEOUTS = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "24h"}
RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
FOLDERS_LENGTH = 600
NAME_LENGTH = 120
ADVICE = (
    ("NoSuchBucket|ContainerNotFound", "there is no such bucket; check its name, the account and the endpoint"),
    ("builder error", "the endpoint is plain http; allow that with AWS_ALLOW_HTTP=true (or GOOGLE_ALLOW_HTTP, AZURE_ALLOW_HTTP)"),
    ("InvalidUri", "the endpoint is no address; write AWS_ENDPOINT_URL as https://host:port"),
    ("InvalidObjectState|BlobArchived", "it is archived; restore it in the bucket, or narrow the pattern"),
    ("without LOCATION|PermanentRedirect|AuthorizationHeaderMalformed", "the bucket is in another region; set AWS_REGION to it"),
    ("latest/api/token|latest/meta-data|computeMetadata|metadata/identity", "no credentials were found; set them in the environment"),
    (
        "status code: 40[13]|PermissionDenied|Unauthenticated|AccessDenied",
        "access was refused; check the credentials in the environment, and that they may list the bucket and read its objects",
    ),
    ("status code: 50", "the store answered with an error of its own; try again later"),
    ("sending request|timed out|HTTP error", "the store could not be reached, or did not answer in time; check endpoint and network"),
    (
        "illegal character|empty path segment|parse path",
        "a key there has an empty, `.` or `..` part or a control character, which cannot be read; rename it, or narrow the pattern",
    ),
    ("status code: 412|PreconditionError", "it was replaced while it was being fetched; the next run fetches the new one"),
    ("status code: 404|FileNotFoundError", "it is not there any more"),
)  # fmt: skip


class Unavailable(RuntimeError):
    """A bucket, or an object of it, that cannot be had; the message says why."""


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket: `url` without its key is `bucket`; `modified` in ISO 8601, `bytes` its size."""

    bucket: str
    key: str
    etag: str
    bytes: int
    modified: str

    @property
    def url(self) -> str:
        """Where it is stored."""
        return f"{self.bucket}/{self.key}"

    @cached_property
    def tag(self) -> str:
        """16 hexadecimal digits for this state of this object: another etag (else size or time), another tag."""
        state = self.etag.strip('"') or f"{self.bytes} {self.modified}"
        return hashlib.sha256(f"{self.url}\0{state}".encode()).hexdigest()[:16]

    @cached_property
    def relative(self) -> str:
        """Its file below the landing folder: folders as in the bucket where they fit, `<tag>-<name>` for this state of it."""
        *folders, name = (_safe(part) for part in self.key.split("/"))
        path = "/".join(folders)
        if len(path) > FOLDERS_LENGTH or any(len(folder) > NAME_LENGTH for folder in folders):
            path = "_long"
        place = "/".join(part for part in (REMOTE, self.bucket.replace("://", "/"), path) if part)
        return f"{place}/{self.tag}-{name[-NAME_LENGTH:]}"


@dataclass(frozen=True)
class Arrival:
    """A line of the journal: this state of an object landed at this path below the landing folder."""

    url: str
    etag: str
    bytes: int
    modified: str
    path: str
    landed_at: str


@dataclass(frozen=True)
class Arrivals:
    """What there is of the buckets.

    `files`: what has landed, by pattern; `waiting`: by source, objects that have not; `problems`: source, pattern and why, of
    each pattern that matches nothing, or whose bucket or objects cannot be had.
    """

    files: Mapping[str, list[Path]]
    waiting: Mapping[str, list[StoredObject]]
    problems: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Pattern:
    """A pattern of a source that is a URL."""

    source: str
    url: str

    @property
    def bucket(self) -> str:
        """Scheme and bucket, such as s3://acme."""
        return "/".join(self.url.split("/", 3)[:3])

    @cached_property
    def parts(self) -> list[str]:
        """What it asks of a key, part by part."""
        return self.url.split("/", 3)[3].split("/")

    @property
    def folder(self) -> str:
        """The folders before the first wildcard; the whole key when there is none."""
        plain = next((number for number, part in enumerate(self.parts) if re.search(r"[*?\[]", part)), len(self.parts))
        return "/".join(self.parts[:plain])

    @property
    def reach(self) -> str:
        """How its bucket is asked: for `one` object, for the objects of `one folder`, or for `all below` it."""
        left = self.parts[len(self.folder.split("/")) if self.folder else 0 :]
        return {0: "one"}.get(len(left), "one folder" if len(left) == 1 and left != ["**"] else "all below")

    def fits(self, url: str) -> bool:
        """True for the URL of an object that is meant: as with files, `*` stays in a folder, and hidden ones are left out."""
        bucket, _, key = url.partition(f"{self.bucket}/")
        parts = key.split("/")
        return not bucket and not any(part.startswith(".") for part in parts) and _fits(parts, self.parts)


def is_url(pattern: str) -> bool:
    """True for a pattern that leads to a bucket."""
    return "://" in pattern


def land(landing: Path, sources: Mapping[str, Source], *, say: Callable[[str], None]) -> Arrivals:
    """Copy every object that sources ask for and that has not landed below `landing/_remote/`, and note it in the journal.

    A file appears there whole or not at all, and never changes; what has landed stays, whatever becomes of the bucket.
    A bucket or an object that cannot be had is told in `problems`, the others land. `say` is told what is fetched.
    Raises DataError when the landing folder cannot be written.
    """
    patterns = _patterns(sources)
    if not patterns or not landing.is_dir():
        return Arrivals({}, {}, [])
    buckets = Buckets.asked(patterns)
    shelf = Shelf(landing.resolve())
    new = buckets.new_to(shelf)
    if new:
        say(f"Fetching {_said(new)}")
        try:
            failures = shelf.fetch(new, buckets.stores)
        except OSError as error:
            raise DataError(
                f"{landing} cannot be written ({error.strerror}); objects of buckets are copied there"
            ) from error
        say(f"Fetched  {_said([item for item in new if item.url not in failures])}")
        buckets.tell(failures)
    return shelf.arrivals(buckets)


def waiting(landing: Path, sources: Mapping[str, Source]) -> Arrivals:
    """What `land` would work with: buckets are asked, nothing is written."""
    patterns = _patterns(sources)
    if not patterns or not landing.is_dir():
        return Arrivals({}, {}, [])
    return Shelf(landing.resolve()).arrivals(Buckets.asked(patterns))


def _patterns(sources: Mapping[str, Source]) -> list[Pattern]:
    return [
        Pattern(name, pattern)
        for name, source in sorted(sources.items())
        for _, pattern in source.patterns
        if is_url(pattern)
    ]


def _said(objects: list[StoredObject]) -> str:
    size = sum(item.bytes for item in objects) / 1e6
    return f"{len(objects):,} {'object' if len(objects) == 1 else 'objects'} ({size:,.1f} MB)"


# ---------------------------------------------------------------- what is stored


class Buckets:
    """The objects that patterns match, each bucket and folder asked once; patterns that cannot be answered have a problem."""

    def __init__(self, patterns: list[Pattern]) -> None:
        self.patterns = patterns
        self.stores: dict[str, ObjectStore] = {}
        self.matched: dict[Pattern, list[StoredObject]] = {pattern: [] for pattern in patterns}
        self.problems: dict[Pattern, str] = {}

    @classmethod
    def asked(cls, patterns: list[Pattern]) -> "Buckets":
        """The buckets of these patterns, after they have been asked."""
        buckets = cls(patterns)
        questions: dict[tuple[str, str, str], list[Pattern]] = {}
        for pattern in patterns:
            questions.setdefault((pattern.bucket, pattern.folder, pattern.reach), []).append(pattern)
            buckets._open(pattern)
        with ThreadPoolExecutor(FETCHERS) as pool:
            list(pool.map(buckets._ask, questions, questions.values()))
        return buckets

    def new_to(self, shelf: "Shelf") -> list[StoredObject]:
        """The objects that have not landed, each once, in the order of their paths."""
        new = {item.relative: item for items in self.matched.values() for item in items if not shelf.holds(item)}
        return [new[relative] for relative in sorted(new)]

    def tell(self, failures: Mapping[str, str]) -> None:
        """Note for each pattern which of its objects failed to land: why, by URL."""
        for pattern, items in self.matched.items():
            failed = sorted(item.url for item in items if item.url in failures)
            if failed:
                count = f"{len(failed):,} of its {len(items):,} objects could not be fetched"
                self.problems.setdefault(pattern, f"{count} ({failed[0]}: {failures[failed[0]]})")

    def _open(self, pattern: Pattern) -> None:
        """Make the store of the pattern's bucket, or note why there is none."""
        try:
            self.stores[pattern.bucket] = self.stores.get(pattern.bucket) or _opened(pattern.bucket)
        except Unavailable as error:
            self.problems[pattern] = str(error)

    def _ask(self, question: tuple[str, str, str], asking: list[Pattern]) -> None:
        """Note the objects that these patterns match; all of them, or none and why."""
        bucket, folder, reach = question
        if bucket not in self.stores:
            return
        matched: dict[Pattern, list[StoredObject]] = {pattern: [] for pattern in asking}
        try:
            for item in _objects(self.stores[bucket], bucket, folder, reach):
                for pattern in asking:
                    if item.bytes and pattern.fits(item.url):
                        matched[pattern].append(item)
        except Unavailable as error:
            self.problems.update(dict.fromkeys(asking, str(error)))
        else:
            self.matched.update(matched)


def _opened(bucket: str) -> "ObjectStore":
    """The store of a bucket, with the credentials and the endpoint of the environment; raises Unavailable."""
    try:
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError as error:
        raise Unavailable("object storage needs an extra: pip install 'journeys[storage]'") from error
    scheme, name = bucket.split("://")
    options: dict[str, Any] = {**TIMEOUTS, "retry_config": RETRIES}
    with _told_plainly():
        if scheme == "gs":
            return GCSStore(name, **options)
        if scheme == "az":
            return AzureStore(name, **options)
        return S3Store(name, **options, **_profile())


def _profile() -> dict[str, Any]:
    """The credentials of AWS_PROFILE, which the storage library does not read by itself."""
    if not os.environ.get("AWS_PROFILE"):
        return {}
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        raise Unavailable("AWS_PROFILE is set, and reading profiles needs boto3: pip install boto3") from error
    return {"credential_provider": Boto3CredentialProvider()}


def _objects(store: "ObjectStore", bucket: str, folder: str, reach: str) -> Iterator[StoredObject]:
    """The objects of a folder of a bucket; raises Unavailable."""
    with _told_plainly():
        for said in _listed(store, folder, reach):
            yield StoredObject(
                bucket, said["path"], said["e_tag"] or "", said["size"], said["last_modified"].isoformat()
            )


def _listed(store: "ObjectStore", folder: str, reach: str) -> "Iterable[ObjectMeta]":
    if reach == "one":
        try:
            yield store.head(folder)
        except FileNotFoundError:
            return
    elif reach == "one folder":
        yield from store.list_with_delimiter(folder or None)["objects"]
    else:
        for page in store.list(folder or None, chunk_size=PAGE):
            yield from page


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Within the block, an error of the storage library becomes Unavailable with advice: its own text may hold signatures."""
    try:
        yield
    except BaseException as error:
        of_storage = type(error).__module__.split(".")[0] in ("obstore", "botocore", "pyo3_runtime")
        if of_storage or isinstance(error, OSError | ValueError):
            raise Unavailable(_plainly(error)) from None
        raise


def _plainly(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return f"it cannot be written below the landing folder ({error.strerror})"
    text = f"{type(error).__name__} {error}".split("\n\nDebug source")[0]
    code = re.search(r"<Code>(\w+)</Code>", text) or re.search(r"status code: (\d+)", text)
    seen = f" ({code[1]})" if code else ""
    advice = next((said for signs, said in ADVICE if re.search(signs, text)), None)
    return f"{advice}{seen}" if advice else re.sub(r"\S*[?=]\S*", "…", " ".join(text.split()))[:300]


# ---------------------------------------------------------------- what has landed


class Shelf:
    """What has landed below `landing/_remote/`, as `landing/_journal/remote.ndjson` tells."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = root / JOURNAL / FILE
        noted = {entry.path: entry.url for entry in journals.entries(self.journal, Arrival)}
        self.urls = {path: url for path, url in noted.items() if (root / path).is_file()}

    def holds(self, item: StoredObject) -> bool:
        """True when this state of the object has landed and is still there."""
        return item.relative in self.urls

    def arrivals(self, buckets: Buckets) -> Arrivals:
        """What has landed of each pattern, what waits, and the problems."""
        files = {
            pattern.url: sorted(self.root / path for path, url in self.urls.items() if pattern.fits(url))
            for pattern in buckets.patterns
        }
        waiting: dict[str, dict[str, StoredObject]] = {}
        problems = [(pattern.source, pattern.url, problem) for pattern, problem in buckets.problems.items()]
        for pattern, items in buckets.matched.items():
            new = {item.url: item for item in items if not self.holds(item)}
            if pattern in buckets.problems:
                continue
            if new:
                waiting.setdefault(pattern.source, {}).update(new)
            elif not files[pattern.url]:
                nothing = f'no object matches sources.{pattern.source}.files "{pattern.url}"'
                problems.append((pattern.source, pattern.url, nothing))
        return Arrivals(files, {name: list(found.values()) for name, found in waiting.items()}, sorted(problems))

    def fetch(self, objects: list[StoredObject], stores: "Mapping[str, ObjectStore]") -> dict[str, str]:
        """Let objects land, several at a time; returns why by URL for those that did not."""
        failures: dict[str, str] = {}
        incoming = self.root / REMOTE / INCOMING
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True, exist_ok=True)
        pool = ThreadPoolExecutor(FETCHERS)
        try:
            running = {pool.submit(self._fetch, item, stores[item.bucket]): item for item in objects}
            while running:
                done = wait(running, return_when=FIRST_COMPLETED).done
                self._note([(running.pop(future), future) for future in done], failures)
        finally:
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(incoming, ignore_errors=True)
        return failures

    def _note(self, done: list[tuple[StoredObject, Future[None]]], failures: dict[str, str]) -> None:
        landed = []
        now = datetime.now(UTC).isoformat()
        for item, future in done:
            error = future.exception()
            if isinstance(error, Unavailable):
                failures[item.url] = str(error)
            elif error is not None:
                raise error
            else:
                landed.append(Arrival(item.url, item.etag, item.bytes, item.modified, item.relative, now))
        journals.append(self.journal, landed)
        self.urls.update({arrival.path: arrival.url for arrival in landed})

    def _fetch(self, item: StoredObject, store: "ObjectStore") -> None:
        """Copy one object to its place, where it appears whole or not at all; raises Unavailable."""
        target = self.root / item.relative
        if target.is_file() and target.stat().st_size == item.bytes:
            return
        incoming = self.root / REMOTE / INCOMING / f"{item.tag}.{os.getpid()}"
        with _told_plainly():
            _download(store, item, incoming)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(incoming, target)
            _sync(target.parent)


def _download(store: "ObjectStore", item: StoredObject, path: Path) -> None:
    """Write the bytes of an object to a file that lasts, piece by piece; its time is the object's."""
    seen = item.etag if '"' in item.etag else f'"{item.etag}"'
    answer = store.get(item.key, options={"if_match": seen} if item.etag else {})
    with path.open("wb") as stream:
        for piece in answer.stream(min_chunk_size=CHUNK_BYTES):
            stream.write(piece)
        stream.flush()
        os.fsync(stream.fileno())
    if path.stat().st_size != item.bytes:
        raise Unavailable(f"{path.stat().st_size:,} bytes came instead of {item.bytes:,}; the next run tries again")
    modified = datetime.fromisoformat(item.modified).timestamp()
    os.utime(path, (modified, modified))


def _sync(folder: Path) -> None:
    """Make the names in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _safe(part: str) -> str:
    """A part of a key as a name of a file: nothing in it leads elsewhere, and it is not hidden."""
    name = quote(part, safe=" +,=@~")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _fits(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
