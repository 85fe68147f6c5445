"""The site: all pages from the tables, as file names and bytes; the same tables give the same bytes."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports.downloads import Answer, download_files, download_stem
from reports.page import Page, Query
from reports.pages import changes, data_quality, definitions, funnel, journey_map, overview, stages, touchpoints
from reports.theme import figure_json
from reports.view import SiteFacts, View
from reports.words import day, name, plain
from transforms.journey import Journey

PAGES = (overview, journey_map, funnel, stages, touchpoints, changes, data_quality, definitions)
"""The page modules in the order of the menu: each has `build(view) -> list[Page]`."""

HERE = Path(__file__).parent
TEMPLATES = FileSystemLoader([HERE / "templates", HERE.parent / "sql" / "reports"])
LONGEST_VALUE = 200
FOOTER = (
    "Every share stands with its counts. Intervals are 95%. Under 20 counted, no percentage is shown.",
    "The words of this report are explained under Definitions; the numbers and the SQL that gives them stand under each figure.",
)

__all__ = ["PAGES", "SiteFacts", "build_site"]


def build_site(
    tables: Mapping[str, pl.DataFrame], *, journey: Journey, facts: SiteFacts, answer: Answer | None = None
) -> dict[str, bytes]:
    """All files of the report site by name, below its folder.

    In: the tables by warehouse name, any of them empty, none missing (each page module says which it reads). With `answer`,
    the numbers of every figure lie beside the pages as CSV and Parquet.
    Raises KeyError naming a table that is missing.
    """
    view = View(tables, journey, facts)
    pages = [page for module in PAGES for page in module.build(view)]
    template = environment().get_template("page.html.j2")
    downloads = download_files(pages, answer) if answer else {}
    files = {page.file: rendered(template, page, pages, view, downloads) for page in pages}
    return files | downloads | {"assets/plotly.min.js": get_plotlyjs().encode()}


def rendered(template: Template, page: Page, pages: list[Page], view: View, downloads: Mapping[str, bytes]) -> bytes:
    """One page as bytes."""
    text = template.render(
        page=page,
        menu=pages,
        downloads=downloads,
        site_name=name(view.journey.name, limit=40),
        css=Markup(source("site.css")),
        script=Markup(source("site.js")),
        policy=content_policy(source("site.js")),
        footer={"words": (*FOOTER, *([view.held_back] if view.held_back else [])), "facts": footer_facts(view)},
    )
    return text.encode()


def content_policy(script: str) -> str:
    """The content-security policy of a page: nothing from anywhere but this one script, and what that script brings.

    A hash holds alike in a folder of files, where 'self' matches nothing, and on a server. Styles may stand in the page,
    for Plotly writes them there; with nothing to load they can send nothing out.
    """
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' 'strict-dynamic'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def footer_facts(view: View) -> tuple[tuple[str, str], ...]:
    """What the numbers of the site rest on."""
    facts = view.facts
    known = f"{facts.horizon:%Y-%m-%d %H:%M:%S} UTC" if facts.horizon else "no events yet"
    return (
        ("Report of", day(facts.day)),
        ("Report known up to", known),
        ("Data version", name(facts.data_version)),
        ("Configuration version", name(facts.configuration_version)),
        ("Product version", name(facts.product_version)),
    )


def environment() -> Environment:
    """The templates, with everything from the data escaped."""
    made = Environment(
        loader=TEMPLATES, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["figure_json"] = lambda figure: Markup(figure_json(figure))
    made.filters["sql"] = sql
    made.filters["stem"] = lambda figure, page: download_stem(page, figure)
    return made


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
