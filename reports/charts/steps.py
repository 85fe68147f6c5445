"""Steps: several shares that grow over time, one line each, with what each line is called beside its end."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from reports.theme import ACCENT, INK, SECOND, THEME, THIRD, share_ticks

STYLES = ((ACCENT, "solid"), (SECOND, "dash"), (THIRD, "dot"), (INK, "dashdot"))


@dataclass(frozen=True)
class Line:
    """One line: its name, its points, and what is said when one is pointed at; `low` and `high` are its 95% band where it has one."""

    label: str
    at: Sequence[float]
    shares: Sequence[float | None]
    hover: Sequence[str]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None


def step_lines(lines: Sequence[Line], *, axis: str, is_stepped: bool = True) -> go.Figure:
    """Draw the lines over one axis, which `axis` names with its unit."""
    figure = go.Figure()
    shape = "hv" if is_stepped else "linear"
    for line, (colour, dash) in zip(lines, (STYLES * len(lines))[: len(lines)], strict=True):
        if line.low is not None and line.high is not None:
            edge = {"mode": "lines", "line": {"width": 0, "shape": shape}, "hoverinfo": "skip", "showlegend": False}
            figure.add_trace(go.Scatter(x=line.at, y=line.low, **edge))
            figure.add_trace(
                go.Scatter(x=line.at, y=line.high, fill="tonexty", fillcolor="rgba(128,128,128,0.2)", **edge)
            )
        figure.add_trace(
            go.Scatter(
                x=line.at,
                y=line.shares,
                mode="lines" if is_stepped else "lines+markers",
                name=line.label,
                line={"color": colour, "width": 2.5, "dash": dash, "shape": shape},
                marker={"size": 7, "color": colour},
                customdata=[[text] for text in line.hover],
                hovertemplate="%{customdata[0]}<extra></extra>",
            )
        )
    highest = max((value or 0 for line in lines for value in (*line.shares, *(line.high or ()))), default=0)
    return figure.update_layout(
        template=THEME,
        height=340,
        hovermode="closest",
        showlegend=len(lines) > 1,
        xaxis={"title": {"text": axis, "standoff": 8}, "showgrid": False, "rangemode": "tozero"},
        yaxis={"tickformat": share_ticks(highest), "rangemode": "tozero", "nticks": 5},
        margin={"b": 48, "t": 40 if len(lines) > 1 else 10},
    )
