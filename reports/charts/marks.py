"""Marks: what several models say of each row, one mark a model, on one axis."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from reports.charts.rows import bar_places, lay_out_rows
from reports.theme import ACCENT, INK, LOST, SECOND, THEME, THIRD
from reports.words import chart_name

SHAPES = (
    ("circle-open", ACCENT),
    ("square-open", ACCENT),
    ("diamond-open", ACCENT),
    ("x-thin-open", THIRD),
    ("triangle-up-open", THIRD),
    ("cross-thin-open", THIRD),
    ("star", SECOND),
    ("hexagon", INK),
)


def model_marks(labels: Sequence[str], shares: Mapping[str, Sequence[float]], *, notes: Sequence[str]) -> go.Figure:
    """Draw one row a label, in it one mark for each model; the line spans from the least to the most.

    In: the rows' names and notes, and for each model its share of every row.
    """
    places = bar_places(len(labels))
    spans = [[values[row] for values in shares.values()] for row in range(len(labels))]
    line = go.Scatter(
        x=[at for span in spans for at in (min(span), max(span), None)],
        y=[at for place in places for at in (place, place, None)],
        mode="lines",
        line={"color": LOST, "width": 3},
        hoverinfo="skip",
        showlegend=False,
    )
    marks = [
        go.Scatter(
            x=list(values),
            y=places,
            mode="markers",
            name=model,
            marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
            customdata=[
                [chart_name(label), f"{value * 100:.1f}%"] for label, value in zip(labels, values, strict=True)
            ],
            hovertemplate=f"<b>%{{customdata[0]}}</b><br>{model}: %{{customdata[1]}}<extra></extra>",
        )
        for (model, values), (symbol, colour) in zip(shares.items(), SHAPES, strict=False)
    ]
    highest = max((max(span) for span in spans), default=1.0)
    figure = lay_out_rows(
        go.Figure([line, *marks]),
        labels=[chart_name(label) for label in labels],
        notes=notes,
        upper=min(1.0, highest * 1.1) or 1.0,
    )
    extra = 24 * len(shares)
    return figure.update_layout(
        template=THEME,
        showlegend=True,
        legend={"orientation": "v", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
        margin={"t": extra + 16, "b": 54},
        height=figure.layout.height + extra + 30,
    ).update_xaxes(title={"text": "share of all conversions", "standoff": 6})
