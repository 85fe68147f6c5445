"""Columns of tables that a business writes itself: usual names, in the spellings of headers and of JSON keys."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

TIMES = (
    "%Y-%m-%d %H:%M:%S %z", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y, %H:%M", "%d.%m.%Y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
SEPARATORS = (" ", "", "-", "_", ".", "/")

ONE_WORD = ("e_mail", "adset_name")

Computed = Mapping[str, tuple[tuple[str, ...], pl.Expr]]


def spellings(*names: str) -> tuple[str, ...]:
    """Each name, and as a key of JSON in camel case: order_id, orderId."""
    camel = (
        name if name in ONE_WORD else re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name) for name in names
    )
    return tuple(dict.fromkeys(spelled for pair in zip(names, camel, strict=True) for spelled in pair))


def column(*names: str) -> dict[str, Any]:
    """A field spec: the first of these columns that has a value."""
    return {"first": list(spellings(*names))}


def aliases(names: Iterable[str], **labels: str) -> dict[str, str]:
    """Other spellings of names in headers, whatever their case: Order ID, order-id and OrderId for order_id."""
    told = {separator.join(name.split("_")): name for name in names for separator in SEPARATORS}
    return {**{spelled.casefold(): name for spelled, name in told.items()}, **labels}


def said(*names: str) -> pl.Expr:
    """The text of the first of these columns that has one, trimmed."""
    texts = [pl.col(f"raw:{name}").str.strip_chars() for name in spellings(*names)]
    return pl.coalesce([pl.when(text != "").then(text) for text in texts])


def says(text: pl.Expr, words: str) -> pl.Expr:
    """True where the text holds one of the words (a pattern), whatever its case; never null."""
    return text.str.to_lowercase().str.contains(words).fill_null(False)


def with_computed(rows: pl.DataFrame, computed: Computed) -> pl.DataFrame:
    """The rows with all computed columns whose ingredients are there, as `raw:@name`."""
    ready = {
        name: made
        for name, (columns, made) in computed.items()
        if all(f"raw:{column}" in rows.columns for column in columns)
    }
    return rows.with_columns(made.alias(f"raw:{name}") for name, made in ready.items())
