from functools import cache
from pathlib import Path

import duckdb
import polars as pl
import pytest

from reports.page import Figure
from reports.pages import data_quality, funnel, overview, stages, touchpoints
from reports.site import sql
from reports.view import View
from tests.reports.small_site import facts, full_tables, journey
from transforms.contracts import MART_ATTRIBUTION

FILES = Path(__file__).resolve().parents[2] / "sql" / "reports"


@cache
def figures() -> list[Figure]:
    view = View(full_tables(), journey(), facts())
    pages = [page for module in (overview, funnel, stages, touchpoints, data_quality) for page in module.build(view)]
    return [
        block for page in pages for section in page.sections for block in section.blocks if isinstance(block, Figure)
    ]


def ask(connection: duckdb.DuckDBPyConnection, figure: Figure) -> pl.DataFrame:
    """Run what a reader would paste."""
    *variables, query = sql(figure.query).split(";\n")
    for variable in variables:
        connection.execute(variable)
    return connection.sql(query).pl()


@pytest.fixture(scope="module")
def warehouse():
    connection = duckdb.connect()
    for name, table in (full_tables() | {"mart.attribution": MART_ATTRIBUTION.empty()}).items():
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
        connection.register("incoming", table.to_arrow())
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
    yield connection
    connection.close()


def test_every_sql_file_stands_under_a_figure():
    shown = {figure.query.file for figure in figures()}

    assert {path.stem for path in FILES.glob("*.sql")} - {"failed_files"} == shown


def test_the_sql_of_a_funnel_gives_the_steps_of_its_figure(warehouse):
    steps = next(figure for figure in figures() if figure.slug == "steps")

    answer = ask(warehouse, steps)

    assert [f"{reached:,}" for reached in answer["reached"]] == [row[1].text for row in steps.table.rows]


@pytest.mark.parametrize("slug", sorted({figure.slug for figure in figures()}))
def test_the_sql_under_a_figure_runs_as_printed(warehouse, slug):
    figure = next(figure for figure in figures() if figure.slug == slug)

    answer = ask(warehouse, figure)

    assert answer.width > 1
    assert answer.height > 0 or slug == "credit"
