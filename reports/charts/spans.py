"""Spans: the middle half of a time, from the first to the third quartile, with its median."""

import plotly.graph_objects as go
import polars as pl

from reports.charts.rows import bar_places, lay_out_rows
from reports.theme import ACCENT, LOST, PAPER
from reports.words import chart_name, duration

DAY = 86_400


def quartile_spans(rows: pl.DataFrame) -> go.Figure:
    """Draw one bar a row, open to the right where the third quartile is not reached.

    In: one row per span in order: `label`, `note`, `quartile_1_days`, `median_days`, `quartile_3_days` (null: not reached).
    """
    places = bar_places(rows.height)
    known = rows.select(pl.max_horizontal("quartile_1_days", "median_days", "quartile_3_days").max()).item() or 1.0
    upper = known * 1.15
    ends = [upper if third is None else third for third in rows["quartile_3_days"]]
    lines = go.Scatter(
        x=[
            at
            for first, end in zip(rows["quartile_1_days"], ends, strict=True)
            for at in ((None, None, None) if first is None else (first, end, None))
        ],
        y=[at for place in places for at in (place, place, None)],
        mode="lines",
        line={"color": LOST, "width": 7},
        hoverinfo="skip",
    )
    dots = go.Scatter(
        x=rows["median_days"].to_list(),
        y=places,
        mode="markers",
        marker={"size": 12, "color": PAPER, "line": {"width": 2.5, "color": ACCENT}},
        customdata=[
            [chart_name(label), *(until(days) for days in quartiles)]
            for label, *quartiles in rows.select("label", "quartile_1_days", "median_days", "quartile_3_days").rows()
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>a quarter within %{customdata[1]}<br>half within %{customdata[2]}"
        "<br>three quarters within %{customdata[3]}<extra></extra>",
    )
    figure = lay_out_rows(
        go.Figure([lines, dots]),
        labels=[chart_name(label) for label in rows["label"]],
        notes=rows["note"].to_list(),
    )
    return figure.update_xaxes(
        range=[0, upper], tickformat=",~r", dtick=None, nticks=6, tickmode="auto", title={"text": "days", "standoff": 6}
    ).update_layout(height=figure.layout.height + 20, margin={"b": 54})


def until(days: float | None) -> str:
    """A number of days as a length of time."""
    return "– (not reached)" if days is None else duration(days * DAY)
