"""Frames: single values out of them."""

from typing import Any

import polars as pl


def single(frame: pl.DataFrame, value: pl.Expr) -> Any:
    """The one value of an aggregate over a frame; None where there is nothing to aggregate (0 for a sum)."""
    return frame.select(value).item()


def widest(frame: pl.DataFrame, column: str) -> dict[str, Any]:
    """The first row with the largest value of a column. The frame has rows."""
    return frame.row(frame[column].arg_max() or 0, named=True)
