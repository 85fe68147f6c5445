"""Rebuilds: the tables of a workspace made anew from what landed, in a warehouse of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.engines.local import LocalEngine
from pipelines.errors import DataError
from pipelines.landing import Discovery, look
from pipelines.night import Night
from pipelines.run import build_tables
from pipelines.settings import Workspace
from pipelines.warehouse import Warehouse


@dataclass(frozen=True)
class Rebuild(Night):
    """A night over some of the landed files that writes a warehouse of its own, and nothing else."""

    folder: Path = field(default=Path())
    file_ids: frozenset[str] = frozenset()

    @cached_property
    def warehouse(self) -> Warehouse:
        """The rebuilt file."""
        return Warehouse(self.folder / "rebuilt.duckdb", memory=self.configuration.engine.memory)

    @cached_property
    def engine(self) -> LocalEngine:
        """This machine, whatever the workspace's own engine is: so a rebuild judges that one too."""
        return LocalEngine(self.warehouse, self.configuration)

    def discover(self) -> Discovery:
        """What is to be loaded: the files asked for; nothing is written to the journal.

        Raises DataError when one of them is not below the landing folder any more.
        """
        found = look(self.workspace.landing, self.configuration.sources)
        files = [file for file in found.files if file.file_id in self.file_ids]
        if len(files) < len(self.file_ids):
            gone = len(self.file_ids) - len(files)
            raise DataError(
                f"{gone} of {len(self.file_ids)} loaded files are no longer below {self.workspace.landing}; "
                "put them back: what landed is what everything is rebuilt from"
            )
        return replace(found, files=files, refused=[], unmatched=[], unsettled=[])


@contextmanager
def rebuilt(place: Workspace, file_ids: frozenset[str], *, until: datetime | None = None) -> Iterator[Rebuild]:
    """The tables of a workspace made from these files, for as long as the block runs.

    Raises ConfigurationError and DataError as a run does.
    """
    with folder_beside(place) as folder:
        night = Rebuild(place, folder=folder, file_ids=file_ids, until=until)
        build_tables(night)
        yield night


@contextmanager
def folder_beside(place: Workspace) -> Iterator[Path]:
    """A folder beside the build file that goes when the block ends."""
    place.build_file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="rebuild-", dir=place.build_file.parent) as folder:
        yield Path(folder)
