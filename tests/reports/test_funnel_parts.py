import json
import re

import duckdb
import pytest

from pipelines.warehouse import create, sql_text
from reports import funnel_parts
from reports.funnel_parts import parts_figure
from reports.page import Figure
from reports.site import build_site
from reports.view import View
from tests.reports.small_site import facts, full_tables, journey
from transforms.contracts import TABLES


def chosen() -> Figure:
    view = View(full_tables(), journey(), facts())
    found = parts_figure(view.answer("funnel_parts"), view.funnels[0], view.funnels)
    assert found is not None and found.choices is not None
    return found


def test_everybody_of_all_time_is_the_sum_of_the_months():
    figure = chosen()

    assert figure.finding == "Everybody, all time: 18 of 100 completed – 18.0%, 95% interval 11.7–26.7%"
    assert [[cell.text for cell in row] for row in figure.table.rows] == [
        ["1. look", "100", "–", "100.0%", "96.3–100.0%", "0"],
        ["2. choose", "50", "50.0%", "50.0%", "40.4–59.6%", "2"],
        ["3. pay", "18", "36.0%", "18.0%", "11.7–26.7%", "0"],
    ]


def test_each_month_and_group_can_be_chosen_with_its_counts():
    choices = chosen().choices

    assert [option.label for option in choices.periods] == ["All time", "January 2026", "February 2026"]
    assert [(option.key, option.label) for option in choices.groups] == [
        ("", "Everybody"),
        ("device=mobile", "device: mobile"),
    ]
    assert choices.counts[1][1] == ((10, 5, 1), (0, 2, 0))


def test_groups_that_do_not_fit_are_told(monkeypatch):
    monkeypatch.setattr(funnel_parts, "MOST_NUMBERS", 12)

    figure = chosen()

    assert [option.label for option in figure.choices.groups] == ["Everybody"]
    assert "The 1 smallest group is left out here; the SQL gives them." in figure.caption


def test_a_group_with_a_long_or_unreadable_name_has_a_short_key_of_its_own():
    keys = [
        funnel_parts.key_of(f"campaign={name}") for name in ("spring", "x" * 10_000, "x" * 10_001, "a\u202eb", "ab")
    ]

    assert keys[0] == "campaign=spring"
    assert len(set(keys)) == 5
    assert all(len(key) < 120 and "\u202e" not in key for key in keys)


def test_a_funnel_that_nobody_entered_has_nothing_to_choose():
    view = View(full_tables(), journey(), facts())

    assert parts_figure(view.answer("funnel_parts").clear(), view.funnels[0], view.funnels) is None


def test_the_page_carries_the_counts_and_the_rules_of_its_rates():
    page = build_site(full_tables(), journey=journey(), facts=facts())["funnel-checkout.html"].decode()

    carried = json.loads(re.search(r'id="parts-choices">(.*?)</script>', page)[1])

    assert carried["counts"][0][0] == [[60, 30, 12], [0, 0, 0]]
    assert (carried["few"], carried["intervals"], carried["optional"]) == (20, True, [False, False, False])


@pytest.mark.parametrize("order", ["ordered", "any"])
def test_in_any_order_a_step_is_reached_by_so_many_steps_done(order):
    with duckdb.connect() as connection:
        for schema in ("core", "mart"):
            connection.execute(f"CREATE SCHEMA {schema}")
        for table in ("core.funnel_definitions", "mart.funnel_entrants", "mart.funnel_entrant_groups"):
            create(connection, TABLES[table])
        connection.execute(
            "INSERT INTO core.funnel_definitions BY NAME "
            f"SELECT 'f' AS funnel, '{order}' AS step_order, unnest([1, 2]) AS step_number"
        )
        connection.execute(
            "INSERT INTO mart.funnel_entrants BY NAME SELECT 'f' AS funnel, DATE '2026-01-31' AS entry_day, TRUE AS is_first, "
            "'open' AS status, 1 AS depth, [NULL, TIMESTAMPTZ '2026-01-31 10:00:00+00'] AS step_times"
        )
        found = connection.sql(sql_text("reports/funnel_parts.sql")).pl()

    reached = found.sort("step_number")["reached"].to_list()
    assert reached == ([1, 0] if order == "any" else [0, 1])
    assert found.sort("step_number")["still_open"].to_list() == [1, 0]
    assert found["month"].dt.day().unique().to_list() == [1]
