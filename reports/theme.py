"""Theme: the look that all charts share; colours are names that the page's style sheet gives a value in light and in dark."""

import json
from typing import Any

import plotly.graph_objects as go

INK, MUTED, LINE, GRID, PAPER = "var(--ink)", "var(--muted)", "var(--line)", "var(--grid)", "var(--card)"
ACCENT, ACCENT_SOFT, SECOND, THIRD, LOST = (
    "var(--accent)",
    "var(--accent-soft)",
    "var(--second)",
    "var(--third)",
    "var(--lost)",
)
CLEAR = "rgba(0,0,0,0)"

ROW_HEIGHT = 74
TOP_MARGIN, BOTTOM_MARGIN = 10, 34

AXIS = {
    "gridcolor": GRID,
    "linecolor": LINE,
    "zeroline": False,
    "ticks": "",
    "fixedrange": True,
    "automargin": True,
    "tickfont": {"color": MUTED, "size": 12},
    "title": {"font": {"color": MUTED, "size": 12}},
}

THEME = go.layout.Template(
    layout={
        "font": {"family": "var(--font)", "size": 13, "color": INK},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "margin": {"l": 8, "r": 12, "t": TOP_MARGIN, "b": BOTTOM_MARGIN},
        "dragmode": False,
        "showlegend": False,
        "bargap": 0.4,
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": LINE, "font": {"color": INK, "size": 13}, "align": "left"},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"color": MUTED, "size": 12}},
        "xaxis": AXIS,
        "yaxis": AXIS,
    }
)


def share_ticks(highest: float) -> str:
    """The format of an axis of shares from 0 to `highest`, with as many digits as keep its ticks apart."""
    return ".0%" if highest > 0.05 else ".1%" if highest > 0.005 else ".2%"


def figure_json(figure: go.Figure) -> str:
    """The figure as JSON that may stand inside a <script> element."""
    return embedded_json(json.loads(figure.to_json(validate=True, engine="json")))


def embedded_json(content: dict[str, Any]) -> str:
    """JSON that may stand inside a <script> element: keys in order, no '<' anywhere, the same bytes each time."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
