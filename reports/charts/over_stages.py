"""Over stages: a line per survey from stage to stage, panel under panel, each with the 95% intervals of its points."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from reports.charts.panels import axis_of, lay_out_panels
from reports.theme import ACCENT, LOST, PAPER, THEME
from reports.words import chart_name


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
    for number, line in enumerate(lines, start=1):
        figure.add_traces([trace.update(yaxis=axis_of(number)) for trace in traces(line)])
    return figure.update_layout(
        template=THEME,
        xaxis={
            "tickvals": list(range(len(stages))),
            "ticktext": [chart_name(stage, limit=16) for stage in stages],
            "range": [-0.35, len(stages) - 0.65],
            "showgrid": False,
            "anchor": axis_of(len(lines)),
        },
        **lay_out_panels([(chart_name(line.title, limit=60), line.tick_format) for line in lines]),
    )


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
