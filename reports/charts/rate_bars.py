"""Rate bars: how many of the first row reach each row, how sure the share is, and how many stop in between."""

import plotly.graph_objects as go
import polars as pl

from reports.charts.rows import BAR_WIDTH, bar_places, lay_out_rows
from reports.theme import ACCENT, CLEAR, INK, LOST
from reports.words import chart_name, count, interval, share
from transforms.statistics import FEW


def rate_bars(rows: pl.DataFrame) -> go.Figure:
    """Draw one bar a row, with its 95% interval, and behind it, hatched, who stopped since the row before.

    In: one row per bar in order: `label`, `reached`, `whole`, `low`, `high`, and `lost` (null: nobody can stop here).
    """
    reached, whole, lost = rows["reached"].to_list(), rows["whole"].to_list(), rows["lost"].to_list()
    rates = [part / all_ if all_ else 0.0 for part, all_ in zip(reached, whole, strict=True)]
    lost_rates = [(gone or 0) / all_ if all_ else 0.0 for gone, all_ in zip(lost, whole, strict=True)]
    intervals = [interval(low, high) for low, high in rows.select("low", "high").iter_rows()]
    labels = [f"{chart_name(label)} · {count(part)}" for label, part in zip(rows["label"], reached, strict=True)]
    places = bar_places(rows.height)
    bars = go.Bar(
        x=rates,
        y=places,
        orientation="h",
        width=BAR_WIDTH,
        marker={"color": ACCENT, "cornerradius": 3},
        error_x={
            "type": "data",
            "array": [max((high or rate) - rate, 0) for high, rate in zip(rows["high"], rates, strict=True)],
            "arrayminus": [
                max(rate - (low if low is not None else rate), 0) for low, rate in zip(rows["low"], rates, strict=True)
            ],
            "color": INK,
            "thickness": 1.3,
            "width": 5,
        },
        customdata=[
            [chart_name(label), count(part), count(all_), share(part, all_), span]
            for label, part, all_, span in zip(rows["label"], reached, whole, intervals, strict=True)
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} of %{customdata[2]}: %{customdata[3]}"
        "<br>95% interval %{customdata[4]}<extra></extra>",
    )
    gone = go.Bar(
        x=lost_rates,
        y=places,
        base=rates,
        orientation="h",
        width=BAR_WIDTH,
        marker={
            "color": CLEAR,
            "pattern": {"shape": "/", "fgcolor": LOST, "size": 7, "solidity": 0.22},
            "line": {"width": 0},
        },
        hoverinfo="skip",
    )
    figure = go.Figure([gone, bars]).update_layout(barmode="overlay")
    lay_out_rows(figure, labels=labels, notes=[note(row) for row in rows.iter_rows(named=True)])
    return figure.update_xaxes(showticklabels=max(whole, default=0) >= FEW)


def note(row: dict[str, int | None]) -> str:
    """The quiet line under a row's name: its share, and how many stopped before it."""
    part, whole, lost = row["reached"], row["whole"], row["lost"]
    words = [f"{share(part, whole)} of {count(whole)}"] if whole else ["nobody yet"]
    if lost:
        words.append(f"{count(lost)} stopped before")
    return " · ".join(words)
