"""Rendering: pages to HTML, as files of a site or all in one file."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports.downloads import download_stem
from reports.page import Choices, Page, Query
from reports.theme import embedded_json, figure_json
from reports.words import name, plain
from transforms.statistics import FEW, Z95

HERE = Path(__file__).parent
TEMPLATES = FileSystemLoader([HERE / "templates", HERE.parent / "sql" / "reports"])
LONGEST_VALUE = 200


@dataclass(frozen=True)
class Link:
    """An entry of the menu; of a site of many pages it stands in a group, and '' stands on its own."""

    label: str
    target: str
    is_current: bool = False
    group: str = ""


@dataclass(frozen=True)
class MenuGroup:
    """Entries of the menu under one name; a single entry with no name stands for itself."""

    label: str
    links: tuple[Link, ...]

    @property
    def is_current(self) -> bool:
        """True when the page at hand is among them."""
        return any(link.is_current for link in self.links)


@dataclass(frozen=True)
class Frame:
    """What stands around the pages of a site: its name, and the lines and facts at the foot."""

    site_name: str
    words: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()


def page_file(page: Page, menu: Sequence[Link], frame: Frame, *, downloads: Iterable[str] = ()) -> bytes:
    """One page as a file of a site; `downloads` are the files that lie beside it."""
    body = page_body(page, downloads=frozenset(downloads))
    return whole(frame, f"{page.label} – {frame.site_name}", menu, [body])


def one_file(pages: Sequence[Page], frame: Frame) -> bytes:
    """All pages one under the other, in a file that needs no other."""
    bodies = [page_body(page, inside=pages) for page in pages]
    menu = (
        [Link(page.label, f"#{anchor(page)}", group=page.group) for page in pages if page.is_listed]
        if len(pages) > 1
        else []
    )
    title = frame.site_name if len(pages) > 1 else f"{pages[0].label} – {frame.site_name}"
    plotly = get_plotlyjs().replace("</script", "<\\/script") if any("data-figure" in body for body in bodies) else ""
    return whole(frame, title, menu, bodies, plotly=plotly)


def page_body(page: Page, *, downloads: frozenset[str] = frozenset(), inside: Sequence[Page] = ()) -> Markup:
    """What a page says, without what stands around it; `inside` are the pages of the one file that it becomes a part of."""
    return Markup(
        environment()
        .get_template("body.html.j2")
        .render(
            page=page,
            downloads=downloads,
            prefix=f"{anchor(page)}-" if inside else "",
            anchor=anchor(page) if inside else "",
            href=(lambda link: href(link, page, inside)) if inside else (lambda link: link),
        )
    )


def whole(frame: Frame, title: str, menu: Sequence[Link], bodies: Sequence[Markup], *, plotly: str = "") -> bytes:
    """A document around the bodies of pages."""
    scripts = [script for script in (plotly, source("site.js")) if script]
    text = (
        environment()
        .get_template("page.html.j2")
        .render(
            frame=frame,
            title=title,
            menu=grouped(menu),
            bodies=bodies,
            css=Markup(source("site.css")),
            scripts=[Markup(script) for script in scripts],
            policy=content_policy(scripts),
        )
    )
    return text.encode()


def grouped(menu: Sequence[Link]) -> list[MenuGroup]:
    """The entries by their groups, in order; an entry without a group, or alone in it, stands for itself."""
    groups = list[MenuGroup]()
    for label, found in groupby(menu, key=lambda link: link.group):
        links = tuple(found)
        together = [MenuGroup(label, links)] if label and len(links) > 1 else [MenuGroup("", (link,)) for link in links]
        groups += together
    return groups


def anchor(page: Page) -> str:
    """The name of a page inside a file of several."""
    return page.file.removesuffix(".html")


def href(link: str, page: Page, inside: Sequence[Page]) -> str:
    """A link between pages as one within a file; nothing where the page it leads to is not in it."""
    file, _, part = link.partition("#")
    target = next((other for other in inside if other.file == (file or page.file)), None)
    if target is None:
        return ""
    return f"#{anchor(target)}-{part}" if part else f"#{anchor(target)}"


def content_policy(scripts: Iterable[str]) -> str:
    """The content-security policy of a page: nothing from anywhere but these scripts, and what they bring.

    A hash holds alike in a folder of files, where 'self' matches nothing, and on a server. Styles may stand in the page,
    for Plotly writes them there; with nothing to load they can send nothing out.
    """
    digests = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    known = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {known} 'strict-dynamic'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def environment() -> Environment:
    """The templates, with everything from the data escaped."""
    made = Environment(
        loader=TEMPLATES, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {"figure_json": lambda figure: Markup(figure_json(figure)), "sql": sql}
    filters["choices_json"] = lambda choices: Markup(choices_json(choices))
    filters["stem"] = lambda figure, page: download_stem(page, figure)
    made.filters.update(filters)
    return made


def choices_json(choices: Choices) -> str:
    """What the script of the page counts with."""
    return embedded_json({
        "counts": choices.counts, "optional": choices.optional, "intervals": choices.has_intervals, "few": FEW, "z": Z95,
    })  # fmt: skip


def source(file: str) -> str:
    """A file of the templates as it stands."""
    return TEMPLATES.get_source(Environment(), file)[0]


def sql(query: Query) -> str:
    """The SQL of a figure, ready to paste: its variables, then its file."""
    variables = [f"SET VARIABLE {variable} = '{quotable(value)}';" for variable, value in query.variables]
    return "\n".join([*variables, source(f"{query.file}.sql").strip()])


def quotable(value: str) -> str:
    """A value between the quotes of a SQL text; one too long to read is shortened."""
    return plain(value, limit=LONGEST_VALUE).replace("'", "''")


def site_title(text: str) -> str:
    """The name of a site as it is shown."""
    return name(text, limit=40)
