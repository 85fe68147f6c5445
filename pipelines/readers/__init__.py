"""Readers: one file format each, from bytes on disk to rows as transforms/mapping.py wants them.

Kinds of file (ndjson, delimited, parquet, lines of text) give rows; native formats (one module each, listed in NATIVE) say
what the columns of a known product's export mean.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from pipelines.errors import UnreadableFile
from pipelines.landing import LandedFile
from pipelines.readers import delimited, lines, ndjson, objects, parquet
from pipelines.readers.access_log import ACCESS_LOG
from pipelines.readers.ad_spend import AD_SPEND
from pipelines.readers.commerce import ORDERS, REVIEWS, SUBSCRIPTIONS, SURVEYS
from pipelines.readers.ga4 import GA4
from pipelines.readers.hubspot import HUBSPOT
from pipelines.readers.native import Feed, Native, feeds_of, kind_of_file
from pipelines.readers.posthog import POSTHOG
from pipelines.readers.salesforce import SALESFORCE
from pipelines.readers.segment import RUDDERSTACK, SEGMENT
from pipelines.readers.segment_warehouse import SEGMENT_WAREHOUSE
from pipelines.readers.snowplow import SNOWPLOW_EVENTS
from pipelines.warehouse import Connection
from transforms.mapping import Source, Wanted

__all__ = ["NATIVE", "Feed", "Native", "UnreadableFile", "columns_of", "extract", "feeds", "files_of", "read"]

NATIVE: Mapping[str, Native] = {
    native.name: native
    for native in (
        SEGMENT, RUDDERSTACK, SEGMENT_WAREHOUSE, POSTHOG, GA4, SNOWPLOW_EVENTS, ACCESS_LOG, HUBSPOT, SALESFORCE, ORDERS,
        SUBSCRIPTIONS, REVIEWS, SURVEYS, AD_SPEND,
    )
}  # fmt: skip


def feeds(name: str, source: Source) -> list[Feed]:
    """The feeds of a source of journey.yaml; raises ConfigurationError when its format does not fit what it says."""
    return feeds_of(name, source, NATIVE)


def files_of(feed: Feed, files: list[LandedFile]) -> list[LandedFile]:
    """The files of a source that belong to one of its feeds."""
    kinds = feed.native.reads if feed.native else (feed.kind_of_file,)
    return [file for file in files if file.table == feed.table and kind_of_file(file.path, kinds) == feed.kind_of_file]


def read(path: Path, source: Source, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """The rows of one file in parts: row, text, problem, and the wanted columns where the format gives them already.

    Raises UnreadableFile, with what is wrong and what would be right, when the file is not what it claims to be.
    """
    if source.format == "parquet":
        return parquet.read(path, source, wanted)
    if source.format in ("csv", "tsv"):
        return delimited.read(path, source, wanted)
    if source.format == "lines":
        return lines.read(path)
    return ndjson.read(path)


def extract(rows: pl.DataFrame, source: Source, wanted: Wanted, connection: Connection) -> pl.DataFrame:
    """The rows with all wanted columns, from many files at a time; lines that hold no JSON object become parse_error."""
    is_nested = source.format == "ndjson"
    given = ndjson.extract(rows, objects.outermost(wanted), connection) if is_nested else rows
    return objects.looked_into(given, wanted, connection)


def columns_of(path: Path, source: Source) -> list[str] | None:
    """The names in a file's header, as the mapping calls them; None for formats without one.

    Raises UnreadableFile.
    """
    if source.format == "parquet":
        return parquet.columns_of(path, source)
    if source.format in ("csv", "tsv"):
        return delimited.columns_of(path, source)
    return None
