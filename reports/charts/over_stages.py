"""Over stages: a line per survey from stage to stage, panel under panel, each with the 95% intervals of its points."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports.theme import ACCENT, AXIS, INK, LOST, PAPER, THEME
from reports.words import chart_name

PANEL_HEIGHT = 170


@dataclass(frozen=True)
class StageLine:
    """One panel: a value for each stage (None where there is none to show), the ends of its interval, and what pointing shows."""

    title: str
    values: Sequence[float | None]
    lows: Sequence[float | None]
    highs: Sequence[float | None]
    hover: Sequence[str]
    tick_format: str


def over_stages(stages: Sequence[str], lines: Sequence[StageLine]) -> go.Figure:
    """Draw the panels over the stages in the order of the journey; a stage without a value breaks the line."""
    figure = go.Figure()
    part = 1 / len(lines)
    layout: dict[str, Any] = {"annotations": []}
    for number, line in enumerate(lines, start=1):
        suffix = "" if number == 1 else str(number)
        top = 1 - (number - 1) * part
        figure.add_traces([trace.update(yaxis=f"y{suffix}") for trace in traces(line)])
        layout[f"yaxis{suffix}"] = AXIS | {
            "domain": [top - part + 0.04 * part, top - 34 / (PANEL_HEIGHT * len(lines))],
            "tickformat": line.tick_format,
            "nticks": 4,
        }
        title = {
            "text": chart_name(line.title, limit=60),
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": top,
            "yref": "paper",
            "yanchor": "top",
        }
        layout["annotations"].append(title | {"showarrow": False, "font": {"size": 13, "color": INK}})
    return figure.update_layout(
        template=THEME,
        height=PANEL_HEIGHT * len(lines) + 50,
        xaxis={
            "tickvals": list(range(len(stages))),
            "ticktext": [chart_name(stage, limit=16) for stage in stages],
            "range": [-0.35, len(stages) - 0.65],
            "showgrid": False,
            "anchor": f"y{len(lines)}" if len(lines) > 1 else "y",
        },
        **layout,
    )  # fmt: skip


def traces(line: StageLine) -> list[go.Scatter]:
    """The intervals, and the points with the line through them."""
    at = list(range(len(line.values)))
    ends = [(place, low, high) for place, low, high in zip(at, line.lows, line.highs, strict=True) if low is not None]
    return [
        go.Scatter(
            x=[point for place, _, _ in ends for point in (place, place, None)],
            y=[end for _, low, high in ends for end in (low, high, None)],
            mode="lines",
            line={"color": LOST, "width": 5},
            hoverinfo="skip",
        ),
        go.Scatter(
            x=at,
            y=list(line.values),
            mode="lines+markers",
            line={"color": ACCENT, "width": 2},
            marker={"size": 10, "color": PAPER, "line": {"width": 2.5, "color": ACCENT}, "opacity": 1},
            customdata=[[text] for text in line.hover],
            hovertemplate="%{customdata[0]}<extra></extra>",
        ),
    ]
