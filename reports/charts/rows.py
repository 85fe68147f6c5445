"""Rows: the layout of charts that name each row in a line above it, so that long names read well on a narrow screen."""

from collections.abc import Sequence

import plotly.graph_objects as go

from reports.theme import BOTTOM_MARGIN, INK, MUTED, ROW_HEIGHT, THEME, TOP_MARGIN, share_ticks

LABEL_LIFT = 0.1
"""How far above the middle of a row its label ends, in rows."""
TICK_STEPS = ((0.5, 0.25), (0.2, 0.1), (0.08, 0.05), (0.04, 0.02), (0.008, 0.005), (0, 0.001))
"""How far apart the ticks of an axis are that ends above each share."""
BAR_WIDTH = 0.32
BAR_DROP = 0.18
"""How far below the middle of a row its bar is drawn, in rows."""


def bar_places(number: int) -> list[float]:
    """Where the bars of `number` rows are drawn on the vertical axis, the first row on top."""
    return [row + BAR_DROP for row in range(number)]


def lay_out_rows(figure: go.Figure, *, labels: Sequence[str], notes: Sequence[str], upper: float = 1.0) -> go.Figure:
    """Name each row by a label with a quieter note below it, and make a horizontal axis of shares from 0 to `upper`."""
    annotations = []
    for row, (label, note) in enumerate(zip(labels, notes, strict=True)):
        text = f"<b>{label}</b>"
        place = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "bottom", "align": "left", "showarrow": False}
        annotations.append(
            place | {"y": row - LABEL_LIFT, "text": text, "font": {"size": 13.5, "color": INK}, "yshift": 14}
        )
        annotations.append(
            place | {"y": row - LABEL_LIFT, "text": note, "font": {"size": 12, "color": MUTED}, "yshift": -2}
        )
    return figure.update_layout(
        template=THEME,
        height=TOP_MARGIN + BOTTOM_MARGIN + ROW_HEIGHT * max(len(labels), 1),
        annotations=annotations,
        xaxis={
            "range": [0, upper],
            "tickformat": share_ticks(upper),
            "tick0": 0,
            "dtick": next(step for above, step in TICK_STEPS if upper > above),
        },
        yaxis={"range": [len(labels) - 0.5, -0.5], "visible": False},
    )
