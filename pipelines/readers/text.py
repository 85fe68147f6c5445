"""Text: files of lines, plain or compressed, whatever is in them."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa

from pipelines.errors import UnreadableFile

BLOCK_BYTES = 24 << 20
LONGEST_ROW = 1 << 20
KEPT_CHARACTERS = 10_000
UNPACKED_FREE = 1 << 30
UNPACKED_RATIO = 250
ZEROS_LOOKED_AT, ZEROS_OF_TEXT = 64, 3
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
SIGNATURES = {
    b"\x1f\x8b": "gzip-compressed; name it with .gz at the end",
    b"\x28\xb5\x2f\xfd": "zstd-compressed; name it with .zst at the end",
    b"PAR1": "Parquet; set `format: parquet` for it",
    b"PK\x03\x04": "a ZIP or Excel file; unpack it, or export it as CSV",
    b"BZh": "bzip2-compressed; use .gz or .zst",
    b"\xff\xfe\0\0": "UTF-32 text; save it as UTF-8",
    b"\0\0\xfe\xff": "UTF-32 text; save it as UTF-8",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")


@contextmanager
def opened(path: Path) -> "Iterator[IO[bytes] | Unpacked]":
    """The bytes of a file, decompressed by its ending .gz or .zst.

    Raises UnreadableFile when they cannot be had to the end, and when they are more than a file of that size can mean.
    """
    ending = path.suffix.lower()
    try:
        if ending in COMPRESSIONS and path.stat().st_size == 0:
            raise UnreadableFile(
                f"empty, but its name ends in {ending}; a compressed file is never empty: deliver it again"
            )
        with _stream(path, ending) as stream:
            yield Unpacked(stream, path.stat().st_size) if ending in COMPRESSIONS else stream
    except (EOFError, OSError, zlib.error, pa.ArrowException) as error:
        kind = COMPRESSIONS.get(ending)
        advice = f"not a complete {kind} file, as its ending says" if kind else "it cannot be read"
        raise UnreadableFile(f"{advice} ({error}); deliver it again, under a new name") from error


def _stream(path: Path, ending: str) -> Any:
    if ending in COMPRESSIONS:
        return pa.input_stream(str(path), compression=COMPRESSIONS[ending])
    return path.open("rb")


class Unpacked:
    """The bytes of a compressed file, no more of them than an honest one holds.

    The first gibibyte is free. Beyond it, a row of events has a time and an id of its own, a few bytes that no compression
    takes away, out of some hundred: above UNPACKED_RATIO nothing is an event any more.
    """

    def __init__(self, stream: Any, packed_bytes: int) -> None:
        self.stream = stream
        self.left = UNPACKED_FREE + UNPACKED_RATIO * packed_bytes

    def read(self, size: int) -> bytes:
        """The next bytes; raises UnreadableFile when they have become too many."""
        block: bytes = self.stream.read(size)
        self.left -= len(block)
        if self.left < 0:
            raise UnreadableFile(
                f"it unpacks to more than 1 GiB and {UNPACKED_RATIO} times its size, as a zip bomb does; "
                "if it is genuine, deliver it uncompressed, or in parts of less than 1 GiB each"
            )
        return block


def blocks(path: Path, *, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The file in pieces of whole lines, without byte order mark; of a line that is too long only the beginning.

    Raises UnreadableFile.
    """
    with opened(path) as stream:
        carry, is_first = b"", True
        while block := stream.read(size):
            if is_first:
                refuse_binary(block)
                block, is_first = block.removeprefix(BYTE_ORDER_MARK), False
            cut = block.rfind(b"\n") + 1
            if cut:
                yield carry + block[:cut]
                carry = block[cut:]
            else:
                carry += block
            if len(carry) > LONGEST_ROW:
                carry = carry[: LONGEST_ROW + 4].decode("utf-8", "ignore").encode()
        if carry:
            yield carry


def refuse_binary(start: bytes) -> None:
    """Raise UnreadableFile when a file that should be text begins like something else."""
    for signature, meaning in SIGNATURES.items():
        if start.startswith(signature):
            raise UnreadableFile(f"it is {meaning}")
    if start[:ZEROS_LOOKED_AT].split(b"\n")[0].count(b"\0") > ZEROS_OF_TEXT:
        raise UnreadableFile("it is not text (binary zeros at its beginning); deliver it as UTF-8 text")
    if b"\r" in start.rstrip(b"\r") and b"\n" not in start:
        raise UnreadableFile("its lines end in a lone carriage return; save it with LF or CRLF at the end of lines")


def lines_of(block: bytes) -> pl.DataFrame:
    """The lines of a block: text, problem (`encoding`, `too_large`, `blank` or null).

    A line that is not UTF-8 shows its wrong bytes as �; of a line that is too long the beginning is kept.
    """
    try:
        frame = _lines(block).with_columns(problem=pl.lit(None, pl.String))
    except pl.exceptions.ComputeError:
        frame = _lines_with_errors(block)
    too_large = pl.col("text").str.len_bytes() > LONGEST_ROW
    problem = (
        pl.when(pl.col("problem").is_not_null())
        .then("problem")
        .when(too_large)
        .then(pl.lit("too_large"))
        .when(~pl.col("text").str.contains(r"\S"))
        .then(pl.lit("blank"))
    )
    return frame.with_columns(
        text=pl.when(too_large).then(pl.col("text").str.head(KEPT_CHARACTERS)).otherwise("text"), problem=problem
    )


def _lines(block: bytes) -> pl.DataFrame:
    """Polars takes bytes for compressed that begin like it; the line break before them says that they are text."""
    if block.startswith(COMPRESSED):
        return pl.read_lines(b"\n" + block, name="text").slice(1)
    return pl.read_lines(block, name="text")


def _lines_with_errors(block: bytes) -> pl.DataFrame:
    pieces = block.split(b"\n")
    if pieces and not pieces[-1]:
        pieces.pop()
    texts = [piece.removesuffix(b"\r").decode("utf-8", "replace") for piece in pieces]
    problems = [None if _is_utf8(piece) else "encoding" for piece in pieces]
    return pl.DataFrame({"text": texts, "problem": problems}, schema={"text": pl.String, "problem": pl.String})


def _is_utf8(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True
