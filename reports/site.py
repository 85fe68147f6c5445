"""The site: all pages from the tables, as file names and bytes; the same tables give the same bytes."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl
from plotly.offline import get_plotlyjs

from reports.downloads import Answer, download_files
from reports.page import Page
from reports.pages import (
    accounts,
    adoption,
    attribution,
    carts,
    changes,
    data_quality,
    deals,
    definitions,
    friction,
    funnel,
    identity,
    journey_map,
    overview,
    retention,
    segment_map,
    stage,
    stages,
    subscriptions,
    support,
    support_map,
    touchpoints,
    voice,
)
from reports.render import Frame, Link, one_file, page_file, site_title
from reports.view import SiteFacts, View
from reports.words import day, name
from transforms.journey import Journey

MENU = (
    ("", (overview,)),
    ("Journey", (journey_map, segment_map, stages, stage, touchpoints, friction, carts, deals)),
    ("Funnels", (funnel,)),
    ("Customers", (retention, subscriptions, accounts, adoption)),
    ("Marketing", (attribution,)),
    ("Service", (support, support_map, voice)),
    ("Behind the numbers", (changes, identity, data_quality, definitions)),
)
"""The page modules by the group of the menu that they stand in: each has `build(view) -> list[Page]`, empty where there is nothing to say."""
PAGES = tuple(module for _, modules in MENU for module in modules)

ARCHIVE = "../index.html"
FOOTER = (
    "Every share stands with its counts. Intervals are 95%. Under 20 counted, no percentage is shown.",
    "The words of this report are explained under Definitions; the numbers and the SQL that gives them stand under each figure.",
)

__all__ = ["PAGES", "SiteFacts", "UnknownPage", "build_pages", "build_site", "build_standalone"]


class UnknownPage(LookupError):
    """A page was asked for that the site does not have."""


def build_site(
    tables: Mapping[str, pl.DataFrame], *, journey: Journey, facts: SiteFacts, answer: Answer | None = None
) -> dict[str, bytes]:
    """All files of the report site by name, below its folder.

    In: the tables by warehouse name, any of them empty, none missing (each page module says which it reads). With `answer`,
    the numbers of every figure lie beside the pages as CSV and Parquet.
    Raises KeyError naming a table that is missing.
    """
    view = View(tables, journey, facts)
    pages = build_pages(view)
    downloads = download_files(pages, answer) if answer else {}
    files = {page.file: page_file(page, menu(pages, page), frame(view), downloads=downloads) for page in pages}
    return files | downloads | {"assets/plotly.min.js": get_plotlyjs().encode()}


def build_standalone(
    tables: Mapping[str, pl.DataFrame], *, journey: Journey, facts: SiteFacts, page: str | None = None
) -> bytes:
    """The site, or its page of that name, as one file that needs no other.

    In: as for `build_site`; `page` is a name such as `stages` or `funnel-checkout`.
    Raises UnknownPage with the names there are for another.
    """
    view = View(tables, journey, facts)
    pages = {built.file.removesuffix(".html"): built for built in build_pages(view)}
    if page is not None and page not in pages:
        raise UnknownPage(f"there is no page '{page}'; the pages are: {', '.join(pages)}")
    return one_file([pages[page]] if page else list(pages.values()), frame(view))


def build_pages(view: View) -> list[Page]:
    """Every page, in the order of the menu."""
    return [replace(page, group=group) for group, modules in MENU for module in modules for page in module.build(view)]


def menu(pages: list[Page], here: Page) -> list[Link]:
    """The pages of the site, and the way to its reports of other days."""
    links = (Link(page.label, page.file, page.file == here.file, page.group) for page in pages if page.is_listed)
    return [*links, Link("Archive", ARCHIVE)]


def frame(view: View) -> Frame:
    """What stands around every page."""
    words = (*FOOTER, *([view.held_back] if view.held_back else []))
    return Frame(site_title(view.journey.name), words, footer_facts(view))


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
