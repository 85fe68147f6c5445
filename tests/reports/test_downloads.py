from io import BytesIO

import polars as pl
import pytest

from reports.downloads import as_csv, as_parquet, tidy
from reports.page import Figure, Prose, Query
from reports.pages.funnel import entrants_figure
from reports.site import build_site
from reports.view import View
from tests.reports.small_site import facts, full_tables, journey


def answered(query: Query) -> pl.DataFrame:
    return pl.DataFrame({"asked": [query.file], "with": [" ".join(value for _, value in query.variables)]})


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_begins_as_a_formula_is_calmed_in_csv(start):
    rows = pl.DataFrame({"campaign": [f"{start}cmd|' /C calc'!A0", "spring", f"a{start}b"], "clicks": [-1, 2, 3]})

    read = pl.read_csv(BytesIO(as_csv(rows)), quote_char='"')

    assert read["campaign"].to_list() == [f"'{start}cmd|' /C calc'!A0", "spring", f"a{start}b"]
    assert read["clicks"].to_list() == [-1, 2, 3]


def test_parquet_keeps_texts_as_they_are():
    rows = pl.DataFrame({"campaign": ["=1+1", None, "עגלה"]})

    assert pl.read_parquet(as_parquet(rows)).equals(rows)


def test_sums_are_whole_numbers_and_shares_have_six_digits():
    rows = pl.DataFrame({"sum": pl.Series([12], dtype=pl.Decimal(38, 0)), "share": [1 / 3]})

    assert tidy(rows).equals(pl.DataFrame({"sum": [12], "share": [0.333333]}))


def test_every_figure_has_its_files_and_a_link_to_them():
    site = build_site(full_tables(), journey=journey(), facts=facts(), answer=answered)

    linked = {
        f"tables/{name.removesuffix('.html')}-{slug}.{ending}"
        for name, page in site.items()
        if name.endswith(".html")
        for slug in figure_slugs(page)
        for ending in ("csv", "parquet")
    }
    assert linked == {name for name in site if name.startswith("tables/")}
    for name in linked:
        assert sum(f'href="{name}"'.encode() in page for page in site.values()) == 1


def figure_slugs(page: bytes) -> list[str]:
    return [part.split('"')[0] for part in page.decode().split('<figure id="')[1:]]


def test_a_download_is_the_answer_of_the_sql_under_its_figure():
    site = build_site(full_tables(), journey=journey(), facts=facts(), answer=answered)

    assert site["tables/funnel-checkout-steps.csv"] == b"asked,with\r\nfunnel_steps,checkout\r\n"


def test_a_download_of_what_is_counted_from_single_customers_does_not_list_them():
    asked = []

    build_site(
        full_tables(),
        journey=journey(),
        facts=facts(),
        answer=lambda query: (asked.append(query.file), answered(query))[1],
    )

    assert "funnel_times" not in asked


def test_a_list_of_entrants_too_long_to_lie_beside_the_page_is_told_where_to_be_had(monkeypatch):
    view = View(full_tables(), journey(), facts())
    assert isinstance(entrants_figure(view.funnels[0]), Figure)

    monkeypatch.setattr("reports.pages.funnel.MOST_LISTED", view.funnels[0].entered - 1)

    told = entrants_figure(view.funnels[0])
    assert isinstance(told, Prose)
    assert "mart.funnel_entrants" in told.paragraphs[0]
