"""Moves: where those who were in a stage went next, as parts of one bar."""

import plotly.graph_objects as go
import polars as pl

from reports.charts.rows import BAR_WIDTH, bar_places, lay_out_rows
from reports.theme import ACCENT, CLEAR, LOST, PAPER, SECOND, THIRD
from reports.words import chart_name, count, percent, plural

WAYS = (
    ("forward", "on to the next stage", ACCENT, ""),
    ("skip", "on, skipping stages", THIRD, "."),
    ("back", "back to an earlier stage", SECOND, "/"),
    ("still there", "still there", CLEAR, ""),
)


def move_bars(rows: pl.DataFrame) -> go.Figure:
    """Draw one bar a stage, split by where its moves went.

    In: one row per stage in order: `label`, and the moves `forward`, `skip`, `back`, `still there`.
    """
    names = [name for name, *_ in WAYS]
    wholes = rows.select(pl.sum_horizontal(names)).to_series().to_list()
    places = bar_places(rows.height)
    bars = []
    for name, words, colour, pattern in WAYS:
        parts = [moves / whole if whole else 0.0 for moves, whole in zip(rows[name], wholes, strict=True)]
        bars.append(
            go.Bar(
                x=parts,
                y=places,
                orientation="h",
                width=BAR_WIDTH,
                name=words,
                marker={
                    "color": colour,
                    "line": {"color": LOST, "width": 1},
                    "pattern": {"shape": pattern, "fgcolor": PAPER, "fillmode": "overlay", "size": 6, "solidity": 0.25},
                },
                customdata=[
                    [chart_name(label), count(moves), count(whole), percent(part)]
                    for label, moves, whole, part in zip(rows["label"], rows[name], wholes, parts, strict=True)
                ],
                hovertemplate=f"<b>%{{customdata[0]}}</b><br>{words}: %{{customdata[1]}} of %{{customdata[2]}} (%{{customdata[3]}})<extra></extra>",
            )
        )
    figure = lay_out_rows(
        go.Figure(bars),
        labels=[chart_name(label) for label in rows["label"]],
        notes=[plural(whole, "time", "times") + " in this stage" for whole in wholes],
    )
    return figure.update_layout(
        barmode="stack",
        showlegend=True,
        legend={"traceorder": "normal", "y": 1.02},
        margin={"t": 56},
        height=figure.layout.height + 46,
    )
