"""Drift: what happens to rows of a file whose columns are not those that its source is expected to have."""

from collections.abc import Iterable, Sequence

import polars as pl

from transforms.canonical import DECIMAL, TRUTH
from transforms.mapping import PERSONAL, Policy, Source, text_of, wanted
from transforms.times import parsed_times

INTEGER = r"^\s*[+-]?[0-9]{1,18}\s*$"


def new_columns(header: Sequence[str], source: Source) -> list[str]:
    """Columns of a header that are neither mapped nor declared, in its order; members of nested ones are not told."""
    known = set(known_columns(source))
    return [name for name in header if name.split(".")[0] not in known and name.lower() not in PERSONAL]


def known_columns(source: Source) -> list[str]:
    """Columns that the mapping reads, declares or leaves out, those above a nested path too, in order."""
    read = (*wanted(source).columns, *(name for name in source.left_out if not name.endswith("*")))
    return sorted({*read, *(path.split(".")[0] for path in read)})


def policy_for_missing(column: str, source: Source) -> Policy:
    """What happens when a mapped or declared column is missing."""
    declared = source.schema_.columns.get(column)
    return declared.policy if declared else source.schema_.missing


def type_conflicts(rows: pl.DataFrame, source: Source, *, policy: Policy) -> pl.Series:
    """Per row the first column declared with this policy whose value is not of its type; null for none."""
    declared = {name: column for name, column in source.schema_.columns.items() if column.policy == policy}
    wrong = [pl.when(~_is_of_type(name, column.type, source)).then(pl.lit(name)) for name, column in declared.items()]
    found = pl.coalesce(wrong) if wrong else pl.lit(None, pl.String)
    return rows.select(pl.when(pl.col("problem").is_null()).then(found).alias("column"))["column"]


def _is_of_type(column: str, kind: str, source: Source) -> pl.Expr:
    """True for a value of the type, and where there is none."""
    text = text_of(column)
    if kind == "integer":
        fits = text.str.contains(INTEGER)
    elif kind == "decimal":
        fits = text.str.strip_chars().str.contains(DECIMAL) | text.cast(pl.Float64, strict=False).is_finite()
    elif kind == "boolean":
        fits = text.str.strip_chars().str.to_lowercase().is_in(list(TRUTH))
    elif kind in ("time", "date"):
        zone = source.time_zone or "UTC"
        fits = parsed_times(text, format="iso" if kind == "time" else "date", zone=zone, date_zone=zone).is_not_null()
    else:
        fits = pl.lit(True)
    return fits.fill_null(text.is_null())


def first_unknown(keys: pl.Series, known: Iterable[str]) -> pl.Series:
    """Of lists of names the first that is not known; null where all are."""
    unknown = pl.element().filter(~pl.element().is_in(sorted(known)))
    return keys.to_frame("keys").select(pl.col("keys").list.eval(unknown).list.first())["keys"]
