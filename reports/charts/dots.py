"""Dots: the shares of groups beside each other, each with its 95% interval, against the share of all."""

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl

from reports.charts.rows import bar_places, lay_out_rows
from reports.rates import Rate
from reports.theme import ACCENT, LOST, MUTED, PAPER
from reports.words import chart_name, count, interval, share
from transforms.statistics import FEW

ROW = {
    "label": pl.String,
    "part": pl.Int64,
    "whole": pl.Int64,
    "low": pl.Float64,
    "high": pl.Float64,
    "differs": pl.Boolean,
}
MANY = 50
"""From so many on, a group's interval says how long the axis has to be."""


def axis_end(rows: pl.DataFrame) -> float:
    """Where the axis ends: it holds the intervals of groups that are not small, and the shares of all that show one."""
    shares = rows.filter(pl.col("whole") >= FEW).select(pl.col("part") / pl.col("whole")).to_series()
    spans = rows.filter(pl.col("whole") >= MANY)["high"]
    ends = [end for end in (*shares, *spans) if end is not None]
    highest = max(ends, default=1.0)
    return min(1.0, highest * 1.08) if highest else 1.0


def reaches_beyond(rows: pl.DataFrame) -> bool:
    """True when the axis cuts the interval of a group."""
    return bool((rows["high"] > axis_end(rows)).any())


def rate_dots(rates: Sequence[tuple[str, Rate]]) -> go.Figure | None:
    """Draw one dot for each named rate that rests on enough, with no comparison between them; None where none does."""
    counted = [(label, rate) for label, rate in rates if rate.says_enough]
    if not counted:
        return None
    rows = pl.DataFrame(
        [(label, rate.part, rate.whole, rate.low, rate.high, False) for label, rate in counted],
        schema=ROW,
        orient="row",
    )
    return interval_dots(rows, overall=None)


def interval_dots(rows: pl.DataFrame, *, overall: float | None) -> go.Figure:
    """Draw one dot a row; a filled diamond where the group differs from the rest by more than chance, a ring elsewhere.

    In: one row per group in order: `label`, `part`, `whole`, `low`, `high`, `differs` (null: not tested).
    """
    rates = [part / whole if whole else None for part, whole in rows.select("part", "whole").iter_rows()]
    differs = [bool(flag) for flag in rows["differs"]]
    places = bar_places(rows.height)
    spans = [interval(low, high) for low, high in rows.select("low", "high").iter_rows()]
    lines = go.Scatter(
        x=[end for low, high in rows.select("low", "high").iter_rows() for end in (low, high, None)],
        y=[end for place in places for end in (place, place, None)],
        mode="lines",
        line={"color": LOST, "width": 5},
        hoverinfo="skip",
    )
    dots = go.Scatter(
        x=rates,
        y=places,
        mode="markers",
        marker={
            "size": [13 if flag else 10 for flag in differs],
            "symbol": ["diamond" if flag else "circle" for flag in differs],
            "color": [ACCENT if flag else PAPER for flag in differs],
            "line": {"width": 2.5, "color": ACCENT},
            "opacity": 1,
        },
        customdata=[
            [chart_name(label), count(part), count(whole), share(part, whole), span]
            for (label, part, whole), span in zip(rows.select("label", "part", "whole").iter_rows(), spans, strict=True)
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} of %{customdata[2]}: %{customdata[3]}"
        "<br>95% interval %{customdata[4]}<extra></extra>",
    )
    notes = [
        f"{share(part, whole)} · {count(part)} of {count(whole)}{' · differs from the rest' if flag else ''}"
        for (part, whole), flag in zip(rows.select("part", "whole").iter_rows(), differs, strict=True)
    ]
    figure = lay_out_rows(
        go.Figure([lines, dots]),
        labels=[chart_name(label) for label in rows["label"]],
        notes=notes,
        upper=axis_end(rows),
    )
    if overall is not None:
        figure.add_vline(x=overall, line={"color": MUTED, "width": 1, "dash": "dot"})
    return figure
