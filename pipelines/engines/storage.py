"""Storage: where the frames of a distributed run lie, a folder that all machines see or a prefix of an object store."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.errors import ConfigurationError


@dataclass(frozen=True)
class Storage:
    """Parquet files below one place, each written whole or not at all: a task that runs twice leaves what it left once."""

    root: str

    @property
    def is_remote(self) -> bool:
        """True for an object store."""
        return "://" in self.root

    def below(self, name: str) -> "Storage":
        """A place within this one."""
        return Storage(f"{self.root.rstrip('/')}/{name}")

    def path(self, *parts: str | int) -> str:
        """The file of these parts of a name; numbers are written so that they sort."""
        names = [f"{part:06d}" if isinstance(part, int) else part for part in parts]
        return f"{self.root.rstrip('/')}/{'/'.join(names)}.parquet"

    def write(self, frame: pl.DataFrame, *parts: str | int) -> None:
        """Write a frame as one file, in place of what was there."""
        path = self.path(*parts)
        if self.is_remote:
            frame.write_parquet(path, compression="lz4")
            return
        draft = f"{path}.{os.getpid()}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        frame.write_parquet(draft, compression="lz4")
        os.replace(draft, path)

    def read(self, *parts: str | int) -> pl.LazyFrame:
        """The frame of one file."""
        return pl.scan_parquet(self.path(*parts), hive_partitioning=False)

    def remove(self) -> None:
        """Delete everything below this place.

        Raises ConfigurationError when the library that speaks to object stores is not installed.
        """
        if not self.is_remote:
            shutil.rmtree(self.root, ignore_errors=True)
            return
        try:
            import obstore
            from obstore.store import from_url
        except ImportError as error:
            raise ConfigurationError(
                f"engine: {self.root} is an object store; install what reads it: pip install 'journeys[storage]'"
            ) from error
        store = from_url(self.root)
        for listed in obstore.list(store):
            obstore.delete(store, [entry["path"] for entry in listed])


def folder_of(storage: str | None, beside: Path) -> Storage:
    """The place that a configuration names, else a folder beside a file."""
    return Storage(storage or str((beside.parent / "spark").resolve()))
