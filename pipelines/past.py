"""The past: a workspace as it was known on a day, made from what had landed by then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines.errors import ConfigurationError, DataError
from pipelines.landing import LandedFile, look
from pipelines.publish import publish_warehouse
from pipelines.rebuild import rebuilt
from pipelines.settings import Workspace


@dataclass(frozen=True)
class PastWorkspace(Workspace):
    """A workspace whose published warehouse is that of a day; its reports are kept apart."""

    folder: Path
    day: str

    @property
    def published(self) -> Path:
        """The warehouse as it was known."""
        return self.folder / "journeys.duckdb"

    @property
    def staged_site(self) -> Path:
        """The report site that was drawn and not yet published."""
        return self.folder / "site"

    @property
    def reports(self) -> Path:
        """The report sites of that day."""
        return self.root / "reports" / f"as-known-on-{self.day}"


@contextmanager
def as_known_on(place: Workspace, day: str | None, *, say: Callable[[str], None]) -> Iterator[Workspace]:
    """The workspace as it was known at the end of a day, for as long as the block runs; without a day as it is.

    By the rules of today. Raises ConfigurationError for what is no day, DataError when nothing had landed by then, and when
    a file that had is not there any more.
    """
    if day is None:
        yield place
        return
    until = end_of(day, place.configuration.journey.time_zone)
    files = landed_before(place, until)
    say(f"rebuilding from {len(files):,} files that had landed by {day} …")
    with rebuilt(place, frozenset(file.file_id for file in files), until=until) as night:
        past = PastWorkspace(place.root, folder=night.folder, day=day)
        publish_warehouse(night.warehouse, past.published)
        yield past


def end_of(day: str, time_zone: str) -> datetime:
    """The first instant after a local day, given as 2026-01-31.

    Raises ConfigurationError for anything else.
    """
    try:
        parsed = date.fromisoformat(day)
    except ValueError:
        raise ConfigurationError(f"expected a day such as 2026-01-31; found '{day}'") from None
    return datetime.combine(parsed + timedelta(days=1), time(), ZoneInfo(time_zone)).astimezone(UTC)


def landed_before(place: Workspace, until: datetime) -> list[LandedFile]:
    """The files that had landed before an instant; raises DataError when there were none."""
    landed = look(place.landing, place.configuration.sources).files
    known = [file for file in landed if file.landed_at < until]
    if not known:
        first = min((file.landed_at for file in landed), default=None)
        hint = f"; the first file landed on {first:%Y-%m-%d}" if first else ""
        raise DataError(f"nothing had landed before {until:%Y-%m-%d %H:%M} UTC{hint}")
    return known
