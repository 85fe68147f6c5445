"""Erasure: which rows carry an identifier of a person who was erased, known by tombstones alone, or are older than may be kept."""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from transforms.canonical import Rules, identifier_values
from transforms.contracts import IDENTIFIERS
from transforms.hashing import SEPARATOR

SUPPRESSED = "suppressed"
REFERRED = "referred_id"
WORD = r"[\p{L}\p{N}_.%+@-]+"
PLACES = {"file": pl.UInt32, "row": pl.Int64}


@dataclass(frozen=True)
class Tombstones:
    """What is left of erased persons: by salt, the digests of their identifiers, and the namespaces these are of.

    `before` is the instant before which everything has expired; None where nothing has.
    """

    digests: Mapping[str, frozenset[str]] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    before: datetime | None = None

    def __bool__(self) -> bool:
        """True when somebody was erased, or something has expired."""
        return bool(self.digests) or self.before is not None

    def holds(self, namespace: str, value: str) -> bool:
        """True for an identifier of an erased person."""
        return any(digest(salt, namespace, value) in digests for salt, digests in self.digests.items())

    def held(self, namespace: str, values: Iterable[str]) -> list[str]:
        """Those of these values that are an erased person's."""
        return [value for value in values if self.holds(namespace, value)] if namespace in self.namespaces else []


NOBODY_ERASED = Tombstones()


def digest(salt: str, namespace: str, value: str) -> str:
    """The HMAC-SHA256 of an identifier under a salt, in hexadecimal. In: the value as the warehouse keeps it."""
    return hmac.digest(bytes.fromhex(salt), f"{namespace}{SEPARATOR}{value}".encode(), "sha256").hex()


def erased_rows(canonical: pl.DataFrame, tombstones: Tombstones) -> pl.DataFrame:
    """The physical rows that carry an identifier of an erased person, whatever else they carry, and those that have expired.

    In:  canonical rows (transforms/canonical.py), also of rows that cannot be used. Each distinct value is looked up once.
    Out: file, row; each once, in order.
    """
    if not tombstones:
        return pl.DataFrame(schema=PLACES)
    held = {name: tombstones.held(name, canonical[name].unique().drop_nulls()) for name in IDENTIFIERS}
    carries = [pl.col(name).is_in(values) for name, values in held.items() if values]
    found = canonical.filter(pl.any_horizontal(carries)) if carries else canonical.clear()
    places = pl.concat([found.select(*PLACES), _brought(canonical, tombstones)])
    if tombstones.before is not None:
        places = pl.concat([places, expired_rows(canonical, before=tombstones.before)])
    return places.unique().sort(*PLACES)


def _brought(canonical: pl.DataFrame, tombstones: Tombstones) -> pl.DataFrame:
    """The rows that say that somebody brought an erased person: the property `referred_id` is an identifier too, of any namespace."""
    if not tombstones.digests or "properties" not in canonical.columns:
        return pl.DataFrame(schema=PLACES)
    told = canonical.filter(pl.col("properties").str.contains(f'"{REFERRED}"', literal=True))
    named = told.select(*PLACES, value=pl.col("properties").str.json_path_match(f"$.{REFERRED}")).drop_nulls("value")
    values = named["value"].unique()
    theirs = {value for namespace in IDENTIFIERS for value in tombstones.held(namespace, values)}
    return named.filter(pl.col("value").is_in(sorted(theirs))).select(*PLACES)


def expired_rows(canonical: pl.DataFrame, *, before: datetime) -> pl.DataFrame:
    """The physical rows of which everything that has a time happened, or was recorded, before an instant.

    In:  canonical rows; of a record the time of its version counts.
    Out: file, row; each once, in no order. A row without any time is not among them.
    """
    newest = canonical.group_by(*PLACES).agg(pl.col("evident_at").max())
    return newest.filter(pl.col("evident_at") < before).select(*PLACES)


def erased_texts(summary: pl.DataFrame, tombstones: Tombstones, *, rules: Rules) -> pl.DataFrame:
    """The rows that cannot be used and whose text has a word in it that is an identifier of an erased person.

    In:  row summaries (transforms/outcomes.py) with the text of such rows.
    Out: file, row; each once, in order.
    """
    unusable = summary.filter(pl.col("reason").is_not_null() & pl.col("text").is_not_null())
    if not tombstones.digests or unusable.is_empty():
        return pl.DataFrame(schema=PLACES)
    words = unusable.select(*PLACES, word=pl.col("text").str.extract_all(WORD)).explode("word").drop_nulls("word")
    told = words["word"].unique()
    named: set[str] = set()
    for namespace in (name for name in IDENTIFIERS if name in tombstones.namespaces):
        stored = identifier_values(told, namespace=namespace, rules=rules)
        held = tombstones.held(namespace, stored.unique().drop_nulls())
        named |= set(told.filter(stored.is_in(held)))
    return words.filter(pl.col("word").is_in(sorted(named))).select(*PLACES).unique().sort(*PLACES)


def suppressed(summary: pl.DataFrame, erased: pl.DataFrame) -> pl.DataFrame:
    """Row summaries in which nothing is left of the rows of erased persons.

    In:  row summaries (transforms/outcomes.py); erased: file, row.
    Out: the same columns. A row that could be used has the reason `suppressed`; one that could not keeps its reason, and
         neither keeps its text, nor what it is known by. Source: semantics.md §3, order of outcomes.
    """
    if erased.is_empty():
        return summary
    marked = summary.join(erased.with_columns(is_erased=True), on=list(PLACES), how="left", maintain_order="left")
    kept = [name for name in summary.columns if name not in (*PLACES, "reason", "field")]
    emptied = [pl.when(pl.col("is_erased").is_null()).then(name).alias(name) for name in kept]
    reason = pl.when(pl.col("is_erased")).then(pl.col("reason").fill_null(SUPPRESSED)).otherwise("reason")
    return marked.with_columns(reason.alias("reason"), *emptied).select(summary.columns)
