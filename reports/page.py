"""The parts of a page: what a page module hands over, and the template draws."""

from dataclasses import dataclass, field
from typing import Literal

import plotly.graph_objects as go
import polars as pl

Align = Literal["text", "number"]
Mark = Literal["", "good", "bad", "open"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table: what it says, a smaller second line, how strong its background is (0 to 9), a page it leads to."""

    text: str
    note: str = ""
    heat: int | None = None
    link: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns; the first column names the row."""

    columns: tuple[tuple[str, Align], ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class Query:
    """SQL that gives the numbers: a file in sql/reports, and the variables it is asked with."""

    file: str
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Option:
    """Something to choose: its name in the address, and what a reader sees."""

    key: str
    label: str


@dataclass(frozen=True)
class Choices:
    """Counts of a funnel's first attempts, for a reader who chooses a period and a group in the page.

    `counts` has, for each period and group, how many reached each step and how many still have time at it. `optional` tells which
    steps may be skipped. `elsewhere` are the pages of all funnels, `here` that of this one.
    """

    periods: tuple[Option, ...]
    groups: tuple[Option, ...]
    counts: tuple[tuple[tuple[tuple[int, ...], tuple[int, ...]], ...], ...]
    optional: tuple[bool, ...]
    has_intervals: bool
    elsewhere: tuple[Option, ...]
    here: str


@dataclass(frozen=True)
class Figure:
    """A chart under the sentence that it shows, with its numbers as a table and the SQL that gives them.

    `chart` is None where there is nothing to draw; `is_open` shows the table without a click. What is offered for download
    is the answer of the SQL, or `rows` where that lists single customers. With `choices` the sentence and the numbers follow what is chosen.
    """

    slug: str
    finding: str
    caption: str
    chart: go.Figure | None
    table: Table
    query: Query
    is_open: bool = False
    rows: pl.DataFrame | None = None
    choices: Choices | None = None
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True)
class Tile:
    """One headline figure: what it is, its value and unit, how it compares, on what it rests."""

    label: str
    value: str
    comparison: str = ""
    basis: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Tiles:
    """Headline figures side by side."""

    tiles: tuple[Tile, ...]
    kind: Literal["tiles"] = "tiles"


@dataclass(frozen=True)
class Finding:
    """Something worth knowing: one sentence, the counts it rests on, where to look, and how many customers it concerns."""

    topic: str
    headline: str
    evidence: str
    link: str = ""
    weight: float = 0.0


@dataclass(frozen=True)
class Findings:
    """Findings, the most important first."""

    findings: tuple[Finding, ...]
    kind: Literal["findings"] = "findings"


@dataclass(frozen=True)
class Prose:
    """Plain paragraphs."""

    paragraphs: tuple[str, ...]
    kind: Literal["prose"] = "prose"


@dataclass(frozen=True)
class Terms:
    """Words and what they mean."""

    terms: tuple[tuple[str, str], ...]
    kind: Literal["terms"] = "terms"


@dataclass(frozen=True)
class Notice:
    """Something that limits what the page can say."""

    text: str
    link: str = ""
    kind: Literal["notice"] = "notice"


@dataclass(frozen=True)
class Item:
    """One line of a grid's cell: what it says, a smaller line under it, and whether it is good, bad or still open."""

    text: str
    note: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class GridRow:
    """One row of a grid: what it is about, how it is counted, and the lines of each cell."""

    label: str
    note: str
    cells: tuple[tuple[Item, ...], ...]


@dataclass(frozen=True)
class Grid:
    """A grid of lists: columns with a name and a smaller line, rows with a name, in each cell some lines; `corner` names the columns."""

    label: str
    columns: tuple[Item, ...]
    rows: tuple[GridRow, ...]
    corner: str = "Stage"
    kind: Literal["grid"] = "grid"


Block = Figure | Grid | Tiles | Findings | Prose | Terms | Notice | Table


@dataclass(frozen=True)
class Section:
    """A part of a page under one heading."""

    heading: str
    blocks: tuple[Block, ...]
    lead: str = ""


@dataclass(frozen=True)
class Page:
    """One file of the site: `label` is its name in the menu, `heading` what it found.

    One that is not listed stands in no menu: another page leads to it.
    """

    file: str
    label: str
    eyebrow: str
    heading: str
    lead: str
    sections: tuple[Section, ...] = field(default=())
    group: str = ""
    is_listed: bool = True
