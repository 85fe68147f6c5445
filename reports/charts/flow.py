"""Flow: moves from stage to stage as bands, as wide as the customers who made them; whoever comes into a stage goes out of it."""

import plotly.graph_objects as go
import polars as pl

from reports.theme import ACCENT, INK, LOST, SECOND, THEME, THIRD
from reports.words import chart_name, count, share

MOST_MOVES = 3
"""Moves drawn: on a narrow screen more columns than these could not be read; the table has them all."""
EXIT, LATER = "(exit)", "(other)"
COLOURS = (ACCENT, SECOND, THIRD, INK)
BAND = "rgba(128,128,128,0.28)"
SMALLEST_LABEL = 0.04
"""The share of all customers from which on a stage's name is written beside it; smaller ones say it when pointed at."""


def flow_bands(flow: pl.DataFrame, *, stages: list[str]) -> go.Figure | None:
    """Draw the first moves, one column a move, from the first stage of each customer on; None where nobody moved.

    In: `move`, `from_stage`, `to_stage`, `customers`, `from_customers`; every customer of a stage has a row that leads on.
    """
    drawn = drawn_moves(flow)
    if drawn.is_empty():
        return None
    nodes = drawn.select(column="move", stage="from_stage").vstack(
        drawn.select(column=pl.col("move") + 1, stage="to_stage")
    )
    order = {stage: place for place, stage in enumerate(stages)}
    places = sorted(set(nodes.rows()), key=lambda node: (node[0], order.get(node[1], len(order)), node[1]))
    number = {node: place for place, node in enumerate(places)}
    everybody = int(flow.filter(pl.col("move") == 1)["customers"].sum())
    sizes = {node: size_of(drawn, *node) for node in places}
    return go.Figure(
        go.Sankey(
            arrangement="fixed",
            node={
                "label": [
                    words(stage)
                    if stage not in (EXIT, LATER) and sizes[move, stage] >= SMALLEST_LABEL * everybody
                    else ""
                    for move, stage in places
                ],
                "customdata": [
                    [words(stage), count(sizes[move, stage]), share(sizes[move, stage], everybody)]
                    for move, stage in places
                ],
                "hovertemplate": "<b>%{customdata[0]}</b><br>%{customdata[1]} customers, %{customdata[2]} of all<extra></extra>",
                "color": [LOST if stage in (EXIT, LATER) else colour(order.get(stage, 0)) for _, stage in places],
                "line": {"width": 0},
                "pad": 16,
                "thickness": 12,
                "align": "left",
            },
            link={
                "source": [number[move, stage] for move, stage in drawn.select("move", "from_stage").rows()],
                "target": [number[move + 1, stage] for move, stage in drawn.select("move", "to_stage").rows()],
                "value": drawn["customers"].to_list(),
                "color": BAND,
                "customdata": [
                    [words(left), words(entered), count(customers), count(whole), share(customers, whole)]
                    for left, entered, customers, whole in drawn.select(
                        "from_stage", "to_stage", "customers", "from_customers"
                    ).rows()
                ],
                "hovertemplate": "%{customdata[0]} → %{customdata[1]}<br>%{customdata[2]} of %{customdata[3]}: %{customdata[4]}<extra></extra>",
            },
            textfont={"size": 12, "color": INK},
        )
    ).update_layout(template=THEME, height=460, margin={"l": 4, "r": 4, "t": 12, "b": 12})


def drawn_moves(flow: pl.DataFrame) -> pl.DataFrame:
    """The moves that are drawn: from the first stage on; nothing where all of them are only arrivals."""
    return flow.filter(pl.col("move").is_between(2, MOST_MOVES)).sort("move", "from_stage", "to_stage")


def size_of(drawn: pl.DataFrame, move: int, stage: str) -> int:
    """Customers in a stage before a move: those who left it, else those who came."""
    out = int(drawn.filter(pl.col("move") == move, pl.col("from_stage") == stage)["customers"].sum())
    return out or int(drawn.filter(pl.col("move") == move - 1, pl.col("to_stage") == stage)["customers"].sum())


def colour(place: int) -> str:
    """The colour of a stage by its place; they take turns."""
    return COLOURS[place % len(COLOURS)]


def words(stage: str) -> str:
    """What a stage, or an end, is called in the chart."""
    return {EXIT: "no move since", LATER: "later moves"}.get(stage) or chart_name(stage, limit=24)
