"""The spool: lines of all batches set aside by the file they will go to, so that memory holds one file at a time."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl


class Spool:
    """Frames of calls by slice of time, on disk below `folder`."""

    def __init__(self, folder: Path, *, slice_ms: int) -> None:
        self.folder = folder
        self.slice_ms = slice_ms
        folder.mkdir(parents=True)

    def add(self, batch: int, sent: pl.DataFrame) -> None:
        """Set aside the calls of a batch by the slice in which they are received."""
        slices = sent.with_columns(slice=pl.col("received_at") // self.slice_ms)
        for (number,), frame in slices.partition_by("slice", as_dict=True, include_key=False).items():
            frame.write_ipc(self.folder / f"{number:06d}-{batch:06d}.arrow")

    def slices(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """Each slice, from the first day on, with its calls by the time they were received."""
        paths: dict[int, list[Path]] = {}
        for path in sorted(self.folder.glob("*.arrow")):
            paths.setdefault(int(path.name.split("-")[0]), []).append(path)
        for number, files in sorted(paths.items()):
            calls = pl.concat([pl.read_ipc(file) for file in files])
            yield number, calls.sort("received_at", "message", "is_duplicate")
            for file in files:
                file.unlink()
