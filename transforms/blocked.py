"""Blocked values: identifiers that rows gave and that name nobody, by why."""

import polars as pl

from transforms.canonical import JUNK, REPEATED, Rules
from transforms.contracts import IDENTIFIERS

BLOCKED = {"file": pl.UInt32, "namespace": pl.String, "value_class": pl.String, "rows": pl.Int64}
TEMPLATE = r"^(?:\{.*\}|\$\{.*\}|%.+%|<.*>)$"
ZEROS = "^[0-]*0[0-]*$"


def blocked_values(given: pl.DataFrame, kept: pl.DataFrame, *, rules: Rules) -> pl.DataFrame:
    """Count the identifiers that were given and not kept.

    In:  file and the identifiers of the same rows in the same order: as they came, and as they were kept.
    Out: file, namespace, value_class, rows (BLOCKED), sorted. Blank values, and those the rules drop, are no identifiers.
    """
    parts = [pl.DataFrame(schema=BLOCKED)]
    for name in IDENTIFIERS:
        lost = given[name].is_not_null() & kept[name].is_null()
        if name not in rules.dropped and lost.any():
            taken = given.select("file", text=name).filter(lost).with_columns(pl.col("text").str.strip_chars())
            rows = taken.filter(pl.col("text") != "")
            counted = rows.group_by("file", value_class=value_class(name, rules)).agg(rows=pl.len().cast(pl.Int64))
            parts.append(counted.select("file", pl.lit(name).alias("namespace"), "value_class", "rows"))
    return pl.concat(parts).sort("file", "namespace", "value_class")


def value_class(namespace: str, rules: Rules) -> pl.Expr:
    """Why a value of column `text` names nobody, the first reason that applies."""
    lower = pl.col("text").str.to_lowercase()
    listed = [word.lower() for key in ("all", namespace) for word in rules.junk.get(key, ())]
    is_repeated = (pl.col("text").str.len_chars() >= REPEATED) & (
        pl.col("text").str.strip_chars(pl.col("text").str.head(1)) == ""
    )
    other = "no phone number" if namespace == "phone" else "structured value"
    return (
        pl.when(lower.is_in(listed)).then(pl.lit("listed in journey.yaml"))
        .when(lower.is_in(JUNK)).then(pl.lit("placeholder word"))
        .when(pl.col("text").str.contains(TEMPLATE)).then(pl.lit("unresolved template"))
        .when(pl.col("text").str.contains(ZEROS)).then(pl.lit("all zeros"))
        .when(is_repeated).then(pl.lit("one character repeated"))
        .otherwise(pl.lit(other))
    )  # fmt: skip
