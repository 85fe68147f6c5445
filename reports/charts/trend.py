"""Trend: counts and shares over days or weeks, panel under panel; what is not complete yet is hollow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import plotly.graph_objects as go

from reports.charts.panels import axis_of, lay_out_panels
from reports.theme import ACCENT, CLEAR, MUTED, SECOND, THEME


@dataclass(frozen=True)
class Panel:
    """One panel of a trend: a value for each day, and what the reader sees of it when pointing."""

    title: str
    mark: Literal["bars", "line"]
    values: Sequence[float | None]
    hover: Sequence[str]
    tick_format: str = ",d"


def trend(
    days: Sequence[date], panels: Sequence[Panel], *, complete: Sequence[bool], events: Sequence[tuple[str, date]]
) -> go.Figure:
    """Draw the panels over the same days; `complete` says which days are final, `events` are marked by their letter."""
    figure = go.Figure()
    for number, panel in enumerate(panels, start=1):
        figure.add_traces([trace.update(yaxis=axis_of(number)) for trace in traces(days, panel, complete)])
    layout = lay_out_panels([(panel.title, panel.tick_format) for panel in panels], rangemode="tozero")
    layout["shapes"] = []
    for letter, day in events:
        at = {"x": day.isoformat(), "xref": "x", "yref": "paper"}
        line = {"x0": day.isoformat(), "x1": day.isoformat(), "xref": "x", "y0": 0, "y1": 1, "yref": "paper"}
        layout["shapes"].append(line | {"type": "line", "line": {"color": MUTED, "width": 1, "dash": "dot"}})
        layout["annotations"].append(
            at
            | {
                "y": 1,
                "text": letter,
                "xanchor": "left",
                "yanchor": "top",
                "showarrow": False,
                "font": {"color": MUTED, "size": 12},
                "xshift": 3,
            }
        )
    return figure.update_layout(
        template=THEME,
        xaxis={
            "type": "date",
            "showgrid": False,
            "anchor": axis_of(len(panels)),
            "nticks": 6,
            "tickformat": "%-d %b",
        },
        **layout,
    )


def traces(days: Sequence[date], panel: Panel, complete: Sequence[bool]) -> list[go.Bar | go.Scatter]:
    """The marks of one panel."""
    at = [day.isoformat() for day in days]
    seen = {"customdata": [[text] for text in panel.hover], "hovertemplate": "%{customdata[0]}<extra></extra>"}
    if panel.mark == "bars":
        colours = [ACCENT if final else CLEAR for final in complete]
        return [
            go.Bar(
                x=at,
                y=list(panel.values),
                marker={"color": colours, "line": {"color": ACCENT, "width": 1}, "cornerradius": 2},
                **seen,
            )
        ]
    final = [value if done else None for value, done in zip(panel.values, complete, strict=True)]
    symbols = ["circle" if done else "circle-open" for done in complete]
    crowded = len(days) > 60
    size = 5 if crowded else 8
    return [
        go.Scatter(
            x=at,
            y=list(panel.values),
            mode="lines",
            line={"color": SECOND, "width": 1.5, "dash": "dot"},
            hoverinfo="skip",
        ),
        go.Scatter(x=at, y=final, mode="lines", line={"color": SECOND, "width": 2.5}, hoverinfo="skip"),
        go.Scatter(
            x=at,
            y=list(panel.values),
            mode="markers",
            marker={"color": SECOND, "size": size, "symbol": symbols, "line": {"width": 2, "color": SECOND}},
            **seen,
        ),
    ]
