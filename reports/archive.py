"""Archive: every report that is kept, by its day, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reports.page import Cell, Page, Section
from reports.render import Frame, Link, page_file, site_title
from reports.tables import cells, table, texts
from reports.words import day, name, plural

NEWEST = "latest"


@dataclass(frozen=True)
class KeptReport:
    """One report that is kept: its folder, the day it is about (None: nothing had happened), and what its first page says."""

    folder: str
    day: date | None
    heading: str
    data_version: str


def build_archive(kept: Sequence[KeptReport], *, site_name: str) -> bytes:
    """The page that leads to every report. In: the reports, in any order."""
    newest_first = sorted(kept, key=lambda report: (report.day or date.min, report.folder), reverse=True)
    lines = [
        cells(
            Cell(day(report.day) if report.day else "Before any event", link=f"{report.folder}/index.html"),
            name(report.heading, limit=200),
            name(report.data_version),
        )
        for report in newest_first
    ]
    rows = table(texts("Day", "What it found", "Data version"), lines, most=len(lines))
    page = Page(
        "index.html",
        "Archive",
        "Newest first",
        f"{plural(len(kept), 'report')} {'is' if len(kept) == 1 else 'are'} kept",
        "One for each day that a report was about. A day that was reported again shows its newest report.",
        (Section("Reports by day", (rows,)),),
    )
    menu = [Link("Newest report", f"{NEWEST}/index.html"), Link(page.label, page.file, is_current=True)]
    return page_file(page, menu, Frame(site_title(site_name)))
