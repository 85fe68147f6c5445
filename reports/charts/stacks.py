"""Stacks: counts over weeks or months, one part on the other; what is lost hangs below the line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import plotly.graph_objects as go

from reports.theme import ACCENT, INK, LOST, PAPER, SECOND, THEME, THIRD
from reports.words import count, short_day

STYLES = ((ACCENT, ""), (THIRD, "."), (SECOND, "/"), (INK, "x"))


@dataclass(frozen=True)
class Part:
    """One part of every bar; a loss is drawn downwards."""

    label: str
    counts: Sequence[int]
    is_loss: bool = False


def stacked_bars(days: Sequence[date], parts: Sequence[Part], *, unit: str) -> go.Figure:
    """Draw the parts over the days on which their weeks or months begin; `unit` names the vertical axis."""
    gains = iter(STYLES * len(parts))
    figure = go.Figure()
    for part in parts:
        colour, pattern = (LOST, "\\") if part.is_loss else next(gains)
        figure.add_trace(
            go.Bar(
                x=[day.isoformat() for day in days],
                y=[-number if part.is_loss else number for number in part.counts],
                name=part.label,
                marker={
                    "color": colour,
                    "pattern": {"shape": pattern, "fgcolor": PAPER, "fillmode": "overlay", "size": 6, "solidity": 0.22},
                },
                customdata=[[short_day(day), count(number)] for day, number in zip(days, part.counts, strict=True)],
                hovertemplate=f"%{{customdata[0]}}<br>{part.label}: %{{customdata[1]}}<extra></extra>",
            )
        )
    return figure.update_layout(
        template=THEME,
        height=360,
        barmode="relative",
        bargap=0.15,
        showlegend=True,
        legend={"traceorder": "normal", "y": 1.02},
        xaxis={"type": "date", "showgrid": False, "nticks": 6, "tickformat": "%-d %b"},
        yaxis={
            "title": {"text": unit, "standoff": 4},
            "tickformat": ",d",
            "nticks": 5,
            "zeroline": True,
            "zerolinecolor": LOST,
        },
        margin={"t": 64},
    )
