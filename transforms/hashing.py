"""Stable hashes: the identifiers that must be the same on every machine and in every release.

Polars' own hash may change between versions, so ids come from SHA-256 (customers, sessions, edges: nobody can forge a
collision) and from XXH3 (row keys and contents, ten times faster, compared only inside one source).
"""

import polars as pl
import polars_hash  # noqa: F401  (registers the expression namespaces)

ID_LENGTH = 16
SEPARATOR = "\x1f"


def digest_id(*parts: pl.Expr | str) -> pl.Expr:
    """A 16-digit hexadecimal id of the parts (text; null counts as empty), from SHA-256.

    Parts are joined with the unit separator, so ("a", "bc") and ("ab", "c") differ.
    """
    digest: pl.Expr = joined(*parts).chash.sha2_256()  # type: ignore[attr-defined]
    return digest.str.slice(0, ID_LENGTH)


def fast_key(*parts: pl.Expr | str) -> pl.Expr:
    """A UInt64 key of the parts (text; null counts as empty), from XXH3-64."""
    return key_of(joined(*parts))


def key_of(text: pl.Expr) -> pl.Expr:
    """The UInt64 key of one text, from XXH3-64."""
    key: pl.Expr = text.nchash.xxh3_64()  # type: ignore[attr-defined]
    return key


def joined(*parts: pl.Expr | str) -> pl.Expr:
    """The parts as one text, joined with the unit separator; a string part names a column."""
    columns = [pl.col(part) if isinstance(part, str) else part for part in parts]
    return pl.concat_str([column.cast(pl.String).fill_null("") for column in columns], separator=SEPARATOR)
