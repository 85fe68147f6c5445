"""Curve: the share that has arrived by each moment since the start, with its 95% band."""

import plotly.graph_objects as go
import polars as pl

from reports.frames import single
from reports.theme import ACCENT, ACCENT_SOFT, CLEAR, THEME, share_ticks
from reports.words import duration, percent

SCALES = ((3 * 3_600, 60, "minutes"), (4 * 86_400, 3_600, "hours"), (float("inf"), 86_400, "days"))


def arrival_curve(points: pl.DataFrame) -> go.Figure:
    """Draw one curve in steps.

    In: its points in order of time: `seconds`, `share`, `low`, `high`; the first at 0 seconds, the last where it ends.
    """
    longest = single(points, pl.col("seconds").max()) or 0
    highest = single(points, pl.max_horizontal("share", "high").max()) or 0
    size, unit = next((size, unit) for limit, size, unit in SCALES if longest <= limit)
    times = (points["seconds"] / size).to_list()
    edge = {"mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip"}
    return go.Figure(
        [
            go.Scatter(x=times, y=points["low"].to_list(), **edge),
            go.Scatter(x=times, y=points["high"].to_list(), fill="tonexty", fillcolor=ACCENT_SOFT, **edge),
            go.Scatter(
                x=times,
                y=points["share"].to_list(),
                mode="lines",
                line={"color": ACCENT, "width": 2.5, "shape": "hv"},
                customdata=[
                    [duration(seconds), percent(share)]
                    for seconds, share in points.select("seconds", "share").iter_rows()
                ],
                hovertemplate="after %{customdata[0]}: %{customdata[1]}<extra></extra>",
            ),
        ]
    ).update_layout(
        template=THEME,
        height=320,
        hovermode="closest",
        paper_bgcolor=CLEAR,
        xaxis={
            "title": {"text": f"{unit} since the first step", "standoff": 8},
            "showgrid": False,
            "rangemode": "tozero",
        },
        yaxis={"tickformat": share_ticks(highest), "rangemode": "tozero", "nticks": 5},
        margin={"b": 48},
    )
