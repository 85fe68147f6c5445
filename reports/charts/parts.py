"""Parts: what each row added to a change, or took from it, as a bar to the right or to the left of nothing."""

from collections.abc import Sequence

import plotly.graph_objects as go

from reports.charts.rows import BAR_WIDTH, bar_places, lay_out_rows
from reports.theme import ACCENT, LOST, PAPER, SECOND
from reports.words import chart_name, points


def signed_parts(
    labels: Sequence[str], parts: Sequence[tuple[str, Sequence[float]]], *, notes: Sequence[str]
) -> go.Figure:
    """Draw one row a label; several kinds of parts lie one on the other, those to the right and those to the left apart.

    In: the rows' names and notes, and for each kind of part its name and, in points from -1 to 1, its share of every row.
    """
    places = bar_places(len(labels))
    bars = [
        go.Bar(
            x=list(values),
            y=places,
            orientation="h",
            width=BAR_WIDTH,
            name=kind,
            marker={
                "color": colour,
                "pattern": {"shape": pattern, "fgcolor": PAPER, "fillmode": "overlay", "size": 6, "solidity": 0.25},
            },
            customdata=[[chart_name(label), points(value)] for label, value in zip(labels, values, strict=True)],
            hovertemplate=f"<b>%{{customdata[0]}}</b><br>{kind}: %{{customdata[1]}}<extra></extra>",
        )
        for (kind, values), (colour, pattern) in zip(parts, ((ACCENT, ""), (SECOND, "/")), strict=False)
    ]
    rows = list(zip(*(values for _, values in parts), strict=True))
    reach = (
        max((abs(sum(part for part in row if part * sign > 0)) for row in rows for sign in (1, -1)), default=0) * 1.15
        or 0.01
    )
    figure = lay_out_rows(go.Figure(bars), labels=[chart_name(label) for label in labels], notes=notes)
    several = len(parts) > 1
    return figure.update_layout(
        barmode="relative",
        showlegend=several,
        legend={"traceorder": "normal", "y": 1.02},
        margin={"t": 40 if several else 10, "b": 54},
        height=figure.layout.height + 20 + (30 if several else 0),
    ).update_xaxes(
        range=[-reach, reach],
        dtick=None,
        tickmode="auto",
        nticks=5,
        tickformat="+.1%" if reach > 0.004 else "+.2%",
        zeroline=True,
        zerolinecolor=LOST,
        title={"text": "points of the total rate", "standoff": 6},
    )
