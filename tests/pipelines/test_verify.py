"""Verify: the tables that the nights have made, held against a rebuild from what landed."""

import json

import polars as pl
import pytest

from pipelines.errors import DataError
from pipelines.night import Night
from pipelines.run import build_tables
from pipelines.settings import Workspace
from pipelines.verify import verify
from pipelines.warehouse import Warehouse
from transforms.contracts import OPS_RUNS

JOURNEY = """
landing: {quiet: 0s}
sources:
  web:
    format: ndjson
    files: "*.ndjson"
    fields: {event_id: id, event: event, occurred_at: at, anonymous_id: cookie}
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    (tmp_path / "journey.yaml").write_text(JOURNEY)
    (tmp_path / "landing").mkdir()
    rows = [
        {"id": f"e{number}", "event": "page_view", "at": f"2026-01-0{number}T10:00:00Z", "cookie": "c"}
        for number in (1, 2)
    ]
    (tmp_path / "landing" / "a.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Workspace(tmp_path)


@pytest.fixture
def built(place):
    build_tables(Night(place))
    version = place.configuration.version
    run = pl.DataFrame([{"run_id": "1", "configuration_version": version}]).lazy()
    Warehouse(place.build_file).replace("ops.runs", OPS_RUNS.conform(run).collect())
    return place


def verdicts(place):
    return {each.table: each for each in verify(place, say=lambda _line: None)}


def tamper(place, statement):
    with Warehouse(place.build_file).writing() as connection:
        connection.execute(statement)


def test_every_table_of_core_and_mart_is_compared_and_equal(built):
    found = verdicts(built)

    assert {"core.events", "core.sessions", "mart.funnel_entrants", "mart.kpis"} <= set(found)
    assert [each for each in found.values() if each.first_difference or each.hash != each.rebuilt_hash] == []
    assert (found["core.events"].rows, found["core.events"].rebuilt_rows) == (2, 2)


def test_a_value_that_differs_is_named_with_its_row_and_column(built):
    tamper(built, "UPDATE core.events SET path = '/x' WHERE event_id = 'e2'")

    found = verdicts(built)

    assert found["core.events"].first_difference.endswith("event_number 2: path is '/x', rebuilt None")
    assert found["core.sessions"].first_difference is None


@pytest.mark.parametrize(
    ("statement", "side"),
    [
        ("DELETE FROM core.sessions WHERE session_number = 2", "rebuilt"),
        ("INSERT INTO core.sessions SELECT * REPLACE ('x' AS session_id) FROM core.sessions LIMIT 1", "incremental"),
    ],
)
def test_a_row_that_only_one_side_has_is_named_with_its_side(built, statement, side):
    tamper(built, statement)

    assert verdicts(built)["core.sessions"].first_difference.endswith(f"only in the {side} table")


def test_a_row_that_is_there_twice_is_a_difference(built):
    tamper(built, "INSERT INTO core.sessions SELECT * FROM core.sessions LIMIT 1")

    found = verdicts(built)["core.sessions"]

    assert (found.rows, found.rebuilt_rows) == (3, 2)
    assert found.first_difference.endswith("only in the incremental table")


def test_files_that_landed_since_the_last_run_are_left_out(built):
    (built.landing / "b.ndjson").write_text(
        '{"id": "e9", "event": "page_view", "at": "2026-01-09T10:00:00Z", "cookie": "c"}\n'
    )

    assert [each for each in verdicts(built).values() if each.first_difference] == []


def test_nothing_is_left_behind(built):
    verdicts(built)

    assert [path.name for path in built.build_file.parent.iterdir()] == ["build.duckdb"]


def test_before_the_first_run_there_is_nothing_to_verify(place):
    with pytest.raises(DataError, match="nothing was loaded yet"):
        verdicts(place)


def test_a_run_that_never_ended_is_told(place):
    build_tables(Night(place))

    with pytest.raises(DataError, match="no run has ended yet"):
        verdicts(place)


def test_rules_that_changed_since_the_last_run_are_told(built):
    built.journey_file.write_text(JOURNEY + "time_zone: Europe/Berlin\n")

    with pytest.raises(DataError, match="has changed since the last run"):
        verdicts(Workspace(built.root))


def test_a_loaded_file_that_is_gone_is_told(built):
    (built.landing / "a.ndjson").rename(built.root / "elsewhere")
    (built.landing / "b.ndjson").write_text("{}\n")

    with pytest.raises(DataError, match="1 of 1 loaded files are no longer below"):
        verdicts(built)
