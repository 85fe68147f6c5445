"""Panels: the layout of charts that stand one under the other over the same horizontal axis, each with a title and an axis of its own."""

from collections.abc import Sequence
from typing import Any

from reports.theme import AXIS, INK

PANEL_HEIGHT = 190
TITLE_HEIGHT = 34


def axis_of(number: int) -> str:
    """The vertical axis of a panel, counted from 1, as traces name it."""
    return "y" if number == 1 else f"y{number}"


def lay_out_panels(panels: Sequence[tuple[str, str]], **axis: Any) -> dict[str, Any]:
    """The height, the vertical axes and the titles of panels, each given by its title and the format of its ticks; `axis` is of all axes."""
    part = 1 / len(panels)
    height = PANEL_HEIGHT * len(panels)
    layout: dict[str, Any] = {"height": height + 40, "annotations": []}
    for number, (title, tick_format) in enumerate(panels, start=1):
        top = 1 - (number - 1) * part
        domain = [top - part + 0.02, top - TITLE_HEIGHT / height]
        layout[axis_of(number).replace("y", "yaxis")] = (
            AXIS | {"domain": domain, "tickformat": tick_format, "nticks": 4} | axis
        )
        place = {"x": 0, "xref": "paper", "xanchor": "left", "y": top, "yref": "paper", "yanchor": "top"}
        layout["annotations"].append(place | {"text": title, "showarrow": False, "font": {"size": 13, "color": INK}})
    return layout
