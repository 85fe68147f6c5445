"""Distinct values: work on text that is done once for each distinct value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

VALUE = pl.col("value")


def per_distinct(text: pl.Expr, function: Callable[[str], str | None]) -> pl.Expr:
    """A function of text, called once for each distinct value; null for null."""
    return text.map_batches(_ByFunction(function), return_dtype=pl.String, is_elementwise=True)


def expr_per_distinct(
    text: pl.Expr, derived: Mapping[str, pl.Expr], *, schema: Mapping[str, pl.DataType | type[pl.DataType]]
) -> pl.Expr:
    """A struct of elementwise expressions over the column `value`, worked out once for each distinct text; nulls for null."""
    members = [derived[name].cast(dtype).alias(name) for name, dtype in schema.items()]
    return text.map_batches(_ByExpressions(members), return_dtype=pl.Struct(dict(schema)), is_elementwise=True)


def expr_where_needed(text: pl.Expr, *, needed: pl.Expr, changed: pl.Expr, elsewhere: pl.Expr = VALUE) -> pl.Expr:
    """A text changed where `needed` holds, and `elsewhere` (the text as it is) where not: elementwise expressions over `value`.

    The change is worked out once for each distinct text that needs it.
    """
    return text.map_batches(_WhereNeeded(needed, changed, elsewhere), return_dtype=pl.String, is_elementwise=True)


def distinct_places(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The distinct texts (no null among them), and for each text its place among them."""
    coded = texts.cast(pl.Categorical(pl.Categories.random()))
    known = coded.unique().drop_nulls()
    codes = known.to_physical()
    code_count: int = codes.sort()[-1] + 1 if codes.len() else 0
    places = pl.Series([0], dtype=pl.UInt32).new_from_index(0, code_count)
    places = places.scatter(codes, pl.int_range(codes.len(), dtype=pl.UInt32, eager=True))
    return known.cast(pl.String).alias("value"), places.gather(coded.to_physical())


@dataclass(frozen=True)
class _ByFunction:
    function: Callable[[str], str | None]

    def __call__(self, texts: pl.Series) -> pl.Series:
        if texts.null_count() == texts.len():
            return texts
        known, places = distinct_places(texts)
        results = pl.Series(texts.name, [self.function(value) for value in known], dtype=pl.String)
        return results.gather(places)


@dataclass(frozen=True)
class _ByExpressions:
    members: list[pl.Expr]

    def __call__(self, texts: pl.Series) -> pl.Series:
        if texts.null_count() == texts.len():
            return (
                pl.DataFrame(schema={"value": pl.String})
                .select(self.members)
                .to_struct(texts.name)
                .extend_constant(None, texts.len())
            )
        known, places = distinct_places(texts)
        read = known.to_frame().lazy().select(self.members).collect(engine="in-memory")
        return read.select(pl.all().gather(places)).to_struct(texts.name)


@dataclass(frozen=True)
class _WhereNeeded:
    needed: pl.Expr
    changed: pl.Expr
    elsewhere: pl.Expr

    def __call__(self, texts: pl.Series) -> pl.Series:
        frame = texts.to_frame("value")
        index = frame.with_columns(self.needed.fill_null(False).alias("value")).to_series().arg_true()
        results = frame.with_columns(self.elsewhere.alias("value")).to_series().alias(texts.name)
        if index.is_empty():
            return results
        known, places = distinct_places(texts.gather(index))
        changed = known.to_frame().with_columns(self.changed.alias("value")).to_series()
        return results.scatter(index, changed.gather(places))
